"""An object on its way to disk: a readable file, named by its content, and trouble that waits for the answer."""

import hashlib
import resource
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage

from scintiflow.errors import Refused, Unavailable
from scintiflow.receiver.part import Part, file_meta


def begun(path: Path, *, sop_instance: str = "1.2.3", room: int = 1) -> Part:
    """Return a part as the receiver begins it."""
    part = Part(path)
    part.begin(NuclearMedicineImageStorage, sop_instance, ExplicitVRLittleEndian, lambda: room)
    return part


def test_the_file_is_dicom_and_named_by_its_bytes(tmp_path: Path) -> None:
    """What was written is a DICOM file, zeros for a preamble, and its digest is that of the file."""
    part = begun(tmp_path / "parts" / "1")
    part.write(b"\x08\x00\x60\x00CS\x02\x00")
    part.write(b"NM")
    part.close()
    data = part.path.read_bytes()
    assert part.digest == hashlib.sha256(data).hexdigest()
    assert data[:132] == bytes(128) + b"DICM"
    assert dcmread(part.path).Modality == "NM"
    assert dcmread(part.path).file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert data[part.data_set_at :] == b"\x08\x00\x60\x00CS\x02\x00NM"


def test_file_meta_depends_on_nothing_but_the_object() -> None:
    """Whoever sends it, whichever version of us receives it: the same object has the same bytes."""
    assert file_meta("1.2", "1.3", "1.2.840.10008.1.2") == file_meta("1.2", "1.3", "1.2.840.10008.1.2")
    assert b"SCINTIFLOW" not in file_meta("1.2", "1.3", "1.2.840.10008.1.2")


def test_a_malformed_uid_writes_nothing(tmp_path: Path) -> None:
    """A path in place of a UID is trouble, and no byte reaches the disk."""
    part = begun(tmp_path / "parts" / "1", sop_instance="../../x")
    part.write(b"data")
    part.close()
    assert isinstance(part.trouble, Refused)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_later(tmp_path: Path) -> None:
    """Without room nothing is written and nothing raised; the trouble waits for the answer."""
    part = begun(tmp_path / "1", room=0)
    part.write(b"data")
    assert isinstance(part.trouble, Unavailable)
    assert not part.path.exists()


def test_an_object_without_end_stops_at_the_watermark(tmp_path: Path) -> None:
    """The room that is left is looked at on the way too, and what was written is given back before the object ends."""
    room = 1
    part = Part(tmp_path / "1")
    part.begin(NuclearMedicineImageStorage, "1.2.3", ExplicitVRLittleEndian, lambda: room)
    part.write(bytes(1 << 20))
    assert part.path.exists()
    room = 0
    for _ in range(16):
        part.write(bytes(1 << 20))
    assert isinstance(part.trouble, Unavailable)
    assert not part.path.exists()


def test_a_disk_that_fills_up_on_the_way_is_told_later(tmp_path: Path) -> None:
    """A write that fails is kept as trouble, not raised into the association, and ends the writing."""
    part = begun(tmp_path / "1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        part.write(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    part.write(b"later")
    assert isinstance(part.trouble, Unavailable)
    assert not part.path.exists()
