"""The header of a stored object, read without believing that it is small."""

from typing import BinaryIO

from pydicom import Dataset, dcmread

from scintiflow.dicom.header import LONG_VALUE
from scintiflow.errors import Declined

MOST_BYTES = 16 << 20
"""Of a header, without its long values: those of scans have some 10 KiB."""


def read_header(file: BinaryIO) -> Dataset:
    """Return an object up to its pixels; its long values stay in the file, and say nothing.

    Raises:
        OSError: the disk does not give it back.
        Declined: its header is longer than any scan's.
        Exception: whatever pydicom raises on what it cannot read.
    """
    return dcmread(_Sparing(file), defer_size=LONG_VALUE, stop_before_pixels=True)


class _Sparing:
    """A file that gives so much and no more: pydicom reads values inside sequences however long they are."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self._read = file.seek, file.tell, file.read
        self._left = MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._left:
            raise Declined("The header of this object is longer than that of any scan.")
        self._left -= size
        return self._read(size)
