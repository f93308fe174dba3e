"""`scintiflow demo`: the whole line at work, with a PACS beside it, in under a minute."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from scintiflow.cli.demo.sheet import draw
from scintiflow.cli.send import Peer, find, transmit
from scintiflow.cli.status import look
from scintiflow.cli.studies import summary
from scintiflow.config import Deployment
from scintiflow.dicom.identity import study_folder
from scintiflow.errors import Failed, Refused
from scintiflow.records import ENDS, read_record
from scintiflow.store import Store
from scintiflow.up import reserved, taken_ports

_START_SECONDS, _READ_SECONDS, _STOP_SECONDS = 60.0, 90.0, 15.0
_NEMA = ("JPGExtended.dcm", "JPEG2000.dcm")
"""Two files of the same NEMA phantom scan in the pydicom package: one view, the second one compressed to a blur."""

_KINDS = {Comprehensive3DSRStorage: "report", SecondaryCaptureImageStorage: "picture"}

_CONFIGURATION = """\
[[allow]]
ae_title = "DEMO"

[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
synthetic = "too"
"""

_UP = """
import signal
from scintiflow.lifetime import die_with_parent
die_with_parent(signal.SIGTERM)
from scintiflow.cli import app
app()
"""


@dataclass(frozen=True)
class Case:
    """One study that is sent, and the state that it must come to."""

    name: str
    study_uid: str
    paths: tuple[Path, ...]
    state: str


@dataclass(frozen=True)
class Seen:
    """What became of one case: what the line says, why objects were declined, and what the PACS received."""

    case: Case
    study: Mapping[str, Any]
    declined: Mapping[str, str]
    received: Sequence[Dataset]

    @property
    def kinds(self) -> list[str]:
        """What the PACS has, in words."""
        return sorted(_KINDS.get(dataset.SOPClassUID, "something else") for dataset in self.received)

    def tile(self) -> NDArray[np.uint8] | str:
        """Return the picture that came back, or why none did."""
        pictures = [dataset for dataset in self.received if dataset.SOPClassUID == SecondaryCaptureImageStorage]
        return pictures[0].pixel_array if pictures else " ".join(self.remarks())

    def remarks(self) -> list[str]:
        """Say why there is no result, and which file was declined."""
        if self.kinds:
            return []
        declined = [f"{name} is declined: {reason}" for name, reason in self.declined.items()]
        return [f"{self.case.name} is {self.study['state']}: {self.study['reason']}.", *declined]

    def faults(self) -> list[str]:
        """Say what is not as it must be."""
        name, state, reason = self.case.name, self.study["state"], self.study["reason"]
        wanted = ["picture", "report"] if self.case.state == "delivered" else []
        checks = {
            f"{name} is {state} ({reason}), not {self.case.state}": state == self.case.state,
            f"{name}: the PACS has {' and '.join(self.kinds) or 'nothing'}": self.kinds == wanted,
        }
        if self.case.state == "incomplete":
            checks[f"{name}: the reason is not its missing view: {reason}"] = "posterior view missing" in reason
            blur = self.declined.get("JPEG2000.dcm", "")
            checks["JPEG2000.dcm was not declined for its compression"] = "2097:1" in blur
        return [fault for fault, holds in checks.items() if not holds]


def demo(
    folder: Annotated[Path, typer.Option("--into", help="Where the demo keeps what it makes.")] = Path("demo"),
) -> None:
    """Show the whole line at work: start it, send example scans through DICOM, look at what a PACS gets back.

    Nothing else is touched: it has its own folder, its own ports, and a PACS of its own.
    """
    screen = Console(highlight=False)
    cases = _cases(Deployment().models / "metastasis" / "examples")
    installation = _make_room(folder)
    with _pacs(folder / "pacs") as port:
        installation.config.write_text(_CONFIGURATION.format(port=port))
        with _line(installation, folder / "up.log"):
            _send_and_wait(installation, cases, screen)
    seen = [_seen(case, Store(installation.data), folder / "pacs") for case in cases]
    draw(folder / "contact-sheet.png", [(each.case.name, each.tile()) for each in seen])
    screen.print(_table(seen))
    for remark in [remark for each in seen for remark in each.remarks()]:
        screen.print(remark, markup=False)
    screen.print("AI results, not for diagnostic use, research only. The patients are simulated.")
    screen.print(f"Pictures: {folder / 'contact-sheet.png'}   What the PACS got: {folder / 'pacs'}")
    if faults := [fault for each in seen for fault in each.faults()]:
        raise Failed("\n".join(["Not everything came as expected:", *faults, f"See {folder / 'up.log'}."]))
    screen.print("Everything came as expected.", style="green")


def _cases(examples: Path) -> list[Case]:
    """Return the example studies, and the NEMA scan of which one view is missing."""
    found = [Case(path.stem, _study_uid(path), (path,), "delivered") for path in sorted(examples.glob("*.dcm"))]
    if not found:
        raise Refused(f"{examples} holds no example scans; run the demo in a checkout of the repository.")
    nema = tuple(Path(str(get_testdata_file(name, download=False))) for name in _NEMA)
    return [*found, Case("NEMA, one view", _study_uid(nema[0]), nema, "incomplete")]


def _make_room(folder: Path) -> Deployment:
    """Empty the demo's folder of an earlier run and choose free ports.

    Raises:
        Refused: another demo is running there, or no ports are free.
    """
    data = folder / "data"
    for offset in range(20_000, 21_600, 100):
        installation = Deployment(data=data, config=folder / "scintiflow.toml", redis_url=None, port_offset=offset)
        if not taken_ports(installation):
            break
    with reserved(installation):
        shutil.rmtree(folder / "pacs", ignore_errors=True)
        shutil.rmtree(data)
    (folder / "pacs").mkdir()
    return installation


@contextmanager
def _pacs(folder: Path) -> Iterator[int]:
    """Run a PACS in a process of its own; yield its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "scintiflow.cli.demo.pacs", str(folder)], stdout=subprocess.PIPE, text=True
    ) as pacs:
        try:
            yield int(pacs.stdout.readline())  # type: ignore[union-attr]  # a pipe was asked for
        finally:
            pacs.terminate()


@contextmanager
def _line(installation: Deployment, log: Path) -> Iterator[None]:
    """Run `scintiflow up`, its lines in the file `log`."""
    where = ["--data", installation.data, "--config", installation.config, "--port-offset", installation.port_offset]
    with log.open("wb") as lines:
        up = subprocess.Popen([sys.executable, "-c", _UP, "up", *map(str, where)], stderr=lines)
    try:
        yield
    finally:
        up.terminate()
        up.wait(_STOP_SECONDS)


def _send_and_wait(installation: Deployment, cases: list[Case], screen: Console) -> None:
    """Send every case as soon as the line is ready; return when all have come to an end."""
    store = Store(installation.data)

    def unready() -> list[str]:
        return [process["name"] for process in look(installation)["processes"] if not process["ready"]]

    def open_cases() -> list[str]:
        records = {case.name: read_record(store, study_folder(case.study_uid)) for case in cases}
        return [name for name, record in records.items() if record.outcome.state not in ENDS]

    _wait("Starting", unready, _START_SECONDS, screen)
    files, _ = find(path for case in cases for path in case.paths)
    peer = Peer("SCINTIFLOW", "127.0.0.1", installation.port("dicom"))
    for sent in transmit(files, peer, "DEMO"):
        if sent.trouble:
            raise Failed(f"{sent.path.name} was not taken: {sent.trouble}")
    screen.print(f"Sent {len(files)} scans of {len(cases)} studies to {peer}")
    _wait("Reading", open_cases, _READ_SECONDS, screen)


def _wait(doing: str, missing: Callable[[], list[str]], seconds: float, screen: Console) -> None:
    """Wait until nothing is missing, for at most `seconds`; raises Failed."""
    began = time.monotonic()
    with screen.status(doing) as spinner:
        while left := missing():
            if time.monotonic() > began + seconds:
                raise Failed(f"{doing} took too long: {', '.join(left)}. The demo's up.log says why.")
            spinner.update(f"{doing}: waiting for {', '.join(left)}")
            time.sleep(0.2)
    screen.print(f"{doing} took {time.monotonic() - began:.1f} s")


def _seen(case: Case, store: Store, pacs: Path) -> Seen:
    """Gather what became of a case."""
    record = read_record(store, study_folder(case.study_uid))
    names = {dcmread(path, stop_before_pixels=True).SOPInstanceUID: path.name for path in case.paths}
    objects = store.study(record.folder) / "objects"
    declined = {names[dcmread(objects / f"{d}.dcm").SOPInstanceUID]: reason for d, reason in record.declined.items()}
    received = [dcmread(path) for path in sorted(pacs.glob("*.dcm"))]
    ours = [dataset for dataset in received if dataset.StudyInstanceUID == case.study_uid]
    return Seen(case, summary(store, record), declined, ours)


def _table(seen: list[Seen]) -> Table:
    table = Table("study", "state", "metastases", "prob.", "seconds", "at the PACS", box=SIMPLE_HEAD, pad_edge=False)
    for each in seen:
        (finding,) = [finding for finding in each.study["findings"] if finding["model"] == "metastasis"]
        kinds = ", ".join(each.kinds) or "nothing"
        table.add_row(each.case.name, each.study["state"], *_answer(finding), f"{each.study['seconds']:.2f}", kinds)
    return table


def _answer(finding: Mapping[str, Any]) -> tuple[str, str]:
    """Return a finding and its probability in words."""
    if finding["probability"] is None:
        return "no result", ""
    return "[red]present[/]" if finding["positive"] else "[green]absent[/]", f"{finding['probability']:.3f}"


def _study_uid(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).StudyInstanceUID)
