"""`scintiflow send`: files reach a peer as they are, and each failure says what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian
from typer.testing import CliRunner, Result

from scintiflow.cli import app
from scintiflow.cli.send import Peer, parse_peer
from scintiflow.errors import Refused
from tests.builders import scan
from tests.late import late_for_the_answer, late_for_the_loss
from tests.pacs import Pacs, hanging_up
from tests.ports import free_port
from tests.raw_peer import ABORT

EXAMPLES = sorted(Path("models/metastasis/examples").glob("*.dcm"))


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    """A PACS that takes everything."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one uncompressed scan, one below it, and something that is not DICOM."""
    (tmp_path / "below").mkdir()
    for path in (tmp_path / "one.dcm", tmp_path / "below" / "two"):
        scan().save_as(path, enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("not DICOM")
    return tmp_path


def send(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["send", *map(str, arguments)])


def test_files_and_folders_arrive(pacs: Pacs, folder: Path) -> None:
    """Every DICOM file of a folder and below arrives, whatever its transfer syntax; other files are passed over."""
    result = send(folder, *EXAMPLES[:2], "--to", f"PACS@127.0.0.1:{pacs.port}")
    assert result.exit_code == 0
    assert "Sent 4 of 4" in result.stderr
    syntaxes = {dataset.file_meta.TransferSyntaxUID.name for dataset in pacs.datasets()}
    assert syntaxes == {"Explicit VR Little Endian", "JPEG-LS Lossless Image Compression"}


def test_files_arrive_as_they_are(pacs: Pacs) -> None:
    """What arrives has the very bytes of the file, compressed pixels and all."""
    send(EXAMPLES[0], "--to", f"PACS@127.0.0.1:{pacs.port}")
    (received,) = pacs.datasets()
    original = dcmread(EXAMPLES[0])
    assert received.PixelData == original.PixelData
    assert [element.tag for element in received] == [element.tag for element in original]


def test_a_file_that_is_not_dicom_is_named(pacs: Pacs, folder: Path) -> None:
    """A file named by itself that is not DICOM fails the command; the others are sent."""
    result = send(folder / "notes.txt", folder / "one.dcm", "--to", f"PACS@127.0.0.1:{pacs.port}")
    assert result.exit_code == 1
    assert "notes.txt: This is not a DICOM file." in result.stderr
    assert "Sent 1 of 2" in result.stderr


def test_a_peer_without_the_transfer_syntax_is_told(folder: Path) -> None:
    """Files that the peer cannot take compressed as they are, are named with their transfer syntax; others arrive."""
    with Pacs(syntaxes=[ExplicitVRLittleEndian]) as pacs:
        mixed = send(EXAMPLES[0], folder, "--to", f"PACS@127.0.0.1:{pacs.port}")
        none = send(EXAMPLES[0], "--to", f"PACS@127.0.0.1:{pacs.port}")
    assert (mixed.exit_code, "Sent 2 of 3" in mixed.stderr) == (1, True)
    assert f"{EXAMPLES[0].name}: The receiver takes no" in mixed.stderr
    assert "JPEG-LS Lossless" in mixed.stderr
    assert (none.exit_code, "takes none of these files" in none.stderr) == (1, True)


@pytest.mark.parametrize(
    ("status", "advice"),
    [(0xA700, "later"), (0xA900, "contradicts itself"), (0xC123, "cannot understand"), (0x0110, "see its log")],
)
def test_a_refused_file_says_what_to_do(folder: Path, status: int, advice: str) -> None:
    """Each class of C-STORE failure has its own advice, beside the status itself."""
    with Pacs(answer=lambda uid: status) as pacs:
        result = send(folder / "one.dcm", "--to", f"PACS@127.0.0.1:{pacs.port}")
    assert result.exit_code == 1
    assert f"{status:04X}" in result.stderr
    assert advice in result.stderr


def test_a_wrong_title_is_told(pacs: Pacs, folder: Path) -> None:
    """A peer that is called otherwise is a sentence, not a traceback."""
    result = send(folder, "--to", f"OTHER@127.0.0.1:{pacs.port}")
    assert result.exit_code == 1
    assert "is not called OTHER" in result.stderr


def test_a_rejection_is_told_however_late_it_is_seen(pacs: Pacs, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that rejects us and hangs up at once does not seem to be absent."""
    late_for_the_answer(monkeypatch)
    result = send(folder, "--to", f"OTHER@127.0.0.1:{pacs.port}")
    assert (result.exit_code, "is not called OTHER" in result.stderr) == (1, True)


@pytest.mark.parametrize("late", [late_for_the_answer, late_for_the_loss])
def test_a_peer_that_accepts_and_breaks_off_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, late: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """An association that is gone right after its acceptance is no refusal of the files."""
    late(monkeypatch)
    with hanging_up(ABORT) as pacs:
        result = send(folder, "--to", f"PACS@127.0.0.1:{pacs.port}")
    assert (result.exit_code, "accepted the association and broke it off" in result.stderr) == (1, True)


def test_nobody_there_is_told(folder: Path) -> None:
    """A port where nobody listens is a sentence that says what to correct."""
    result = send(folder, "--to", f"PACS@127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert "correct --to" in result.stderr


def test_an_unknown_host_is_told(folder: Path) -> None:
    """A name that nobody can resolve is a sentence, not a traceback."""
    result = send(folder, "--to", "PACS@pacs.invalid:104")
    assert (result.exit_code, "Nobody knows where pacs.invalid is" in result.stderr) == (1, True)


def test_addresses() -> None:
    """AET@host:port is read whole, also with spaces in the title; anything else is refused with an example."""
    assert parse_peer("MY PACS@pacs.example:104") == Peer("MY PACS", "pacs.example", 104)
    for wrong in ("PACS", "PACS@host", "@host:104", "A TITLE OF SEVENTEEN@host:104", "PACS@host:65536"):
        with pytest.raises(Refused, match=r"PACS@10\.0\.0\.5:104"):
            parse_peer(wrong)
