"""A study of DICOM files, read by the runtime's own code: the canvas is the one that a served model sees."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

from scintiflow.decode import decode
from scintiflow.dicom.header import text
from scintiflow.dicom.reading import read_header
from scintiflow.dicom.selection import Selection, candidate, select
from scintiflow.errors import Declined, Refused
from scintilab.archive import Scan

_PREAMBLE = 128
"""Bytes before the letters DICM (PS3.10 section 7.1)."""


@dataclass(frozen=True)
class DicomFiles:
    """The objects of one study: one with both views, one for each view, or these and others that are not for us."""

    files: tuple[Path, ...]

    def read(self) -> Scan:
        """Select the views and decode them, as the router does (see `Source.read`)."""
        objects = {_digest(path): path for path in self.files}
        selection = _select(objects)
        if not selection.views:
            raise Declined(" ".join(dict.fromkeys(selection.declined.values())))
        with TemporaryDirectory(prefix="scintilab-archive-") as folder:
            for digest in {view.digest for view in selection.views}:
                (Path(folder) / f"{digest}.dcm").symlink_to(objects[digest].resolve())
            decoded = decode(selection.views, Path(folder))
        return Scan(decoded.canvas, decoded.present)


def is_dicom(path: Path) -> bool:
    """Tell whether a file starts as DICOM files do, and is no index of others."""
    if path.name == "DICOMDIR":
        return False
    with path.open("rb") as file:
        return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"


def _select(objects: dict[str, Path]) -> Selection:
    headers = {digest: _header(path) for digest, path in objects.items()}
    if len({text(header, "StudyInstanceUID") for header in headers.values()}) > 1:
        raise Refused("These files are of several studies: give each study a line of its own.")
    return select(candidate(digest, 0.0, header, objects[digest].stat().st_size) for digest, header in headers.items())


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Refused(f"{path.name} cannot be opened ({error.strerror}): look after the disk or its rights.") from error


def _header(path: Path) -> Dataset:
    try:
        if read_file_meta_info(path).TransferSyntaxUID.is_deflated:
            raise Refused(f"{path.name} is deflated, and may unfold to any size: export it uncompressed.")
        with path.open("rb") as file:
            return read_header(file)
    except Refused:
        raise
    except Exception as error:  # pydicom has no common error for what it cannot read
        raise Refused(f"{path.name} is not a DICOM file that can be read: export it again.") from error
