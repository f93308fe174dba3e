"""What the keeper remembers of the objects it has judged."""

import tracemalloc
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage

from scintiflow.keeper.gather import may_complete
from scintiflow.keeper.headers import Headers
from scintiflow.store import Store

FOLDER = "0" * 32


def write(path: Path, *, values: int = 1, length: int = 1000) -> int:
    """Write an object with so many private values; return its size, which is its header's: it has no pixels."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientName = NuclearMedicineImageStorage, "1.2", "Simulated"
    block = dataset.private_block(0x0009, "TEST", create=True)
    for offset in range(values):
        block.add_new(offset, "OB", bytes(length))
    dataset.file_meta = Dataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path.stat().st_size


def test_a_header_is_read_once_while_there_is_room(tmp_path: Path) -> None:
    """The headers read last are kept, as many as fit; what went is read again."""
    paths = [tmp_path / name for name in "abc"]
    sizes = [write(path) for path in paths]
    headers = Headers(2 * max(sizes))
    a, b = headers.read(paths[0]), headers.read(paths[1])
    assert headers.read(paths[0]) is a
    headers.read(paths[2])
    assert headers.read(paths[0]) is a
    assert headers.read(paths[1]) is not b


def test_a_header_that_never_fits_is_read_all_the_same(tmp_path: Path) -> None:
    """One object larger than all that may be kept is judged like any other, and a long value is still to be had."""
    write(tmp_path / "large", length=100_000)
    header = Headers(10).read(tmp_path / "large")
    assert (header.PatientName, len(header[0x0009, 0x1000].value)) == ("Simulated", 100_000)


def test_judging_objects_takes_no_memory_for_good(tmp_path: Path) -> None:
    """However much senders put into their headers, the keeper does not grow by it."""
    store = Store(tmp_path)
    digests = [f"{number:064x}" for number in range(20)]
    for digest in digests:
        write(store.study(FOLDER) / "objects" / f"{digest}.dcm", values=40, length=60_000)
    tracemalloc.start()
    try:
        for digest in digests:
            may_complete(store, FOLDER, digest)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 16 << 20
