"""One C-STORE data set on its way to disk: written and hashed as it comes, never decoded."""

import hashlib
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from scintiflow.dicom.identity import IMPLEMENTATION_UID
from scintiflow.errors import Refused, ScintiflowError, Unavailable
from scintiflow.receiver.header import is_uid

_HEAD_BYTES = 1 << 16  # in most objects pixel data begin before
_LOOK_BYTES = 1 << 24  # written between two looks at the room that is left
_HASTE_BYTES = 1 << 18  # then the disk is to begin: the less is left for the sync to wait for


class Part:
    """A DICOM file that grows with every fragment.

    Trouble on the way is kept in `trouble` until the object is complete, so that it is told as a C-STORE status
    and the association lives on; the file goes at once and later fragments are dropped, for they may never end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started = time.perf_counter()
        self.size = 0
        self.syntax = ""
        self.data_set_at = 0
        """Where the data set begins, behind the file meta information."""
        self.head = bytearray()
        """The first bytes of the file, for who wants to look into it."""
        self.trouble: ScintiflowError | None = None
        self._digest = hashlib.sha256()
        self._file: FileIO | None = None
        self._room: Callable[[], int] = lambda: 0
        self._look_at = 0
        self._hastened = 0

    def begin(self, sop_class: str, sop_instance: str, syntax: str | None, room: Callable[[], int]) -> None:
        """Write what a file holds before its data set, if the disk has `room` (in bytes) for more."""
        with self._keeping_trouble():
            if not (is_uid(sop_class) and is_uid(sop_instance)):
                raise Refused("The command's SOP Class or Instance UID is malformed.")
            if syntax is None:
                raise Refused("Its SOP Class is not the one of its presentation context.")
            self._room = room
            self._look()
            self._file = self._made()
            self.syntax = syntax
            self.write(file_meta(sop_class, sop_instance, syntax))
            self.data_set_at = self.size

    def write(self, fragment: bytes | memoryview) -> None:
        """Append `fragment`."""
        if self._file is None or self.trouble:
            return
        with self._keeping_trouble():
            if self._file.write(fragment) != len(fragment):
                raise Unavailable("The disk is full; try again later.")
            self._digest.update(fragment)
            if self.size < _HEAD_BYTES:
                self.head += fragment[: _HEAD_BYTES - self.size]
            self.size += len(fragment)
            if self.size >= self._look_at:
                self._look()
            if self.size >= self._hastened + _HASTE_BYTES:
                self._hasten(self._file)

    def close(self) -> None:
        """Close the file; it stays where it is."""
        if self._file:
            self._file.close()

    def discard(self) -> None:
        """Close the file and remove it."""
        self.close()
        with suppress(OSError):  # it goes with its association's folder at the latest
            self.path.unlink()

    @property
    def digest(self) -> str:
        """SHA-256 of all bytes so far, in hex."""
        return self._digest.hexdigest()

    def _made(self) -> FileIO:
        """Make the file, and its folder for the first one in it."""
        try:
            return FileIO(self.path, "xb")
        except FileNotFoundError:
            self.path.parent.mkdir()
            return FileIO(self.path, "xb")

    def _hasten(self, file: FileIO) -> None:
        """Let the kernel write what has come since the last time, without waiting for it."""
        os.posix_fadvise(file.fileno(), self._hastened, self.size - self._hastened, os.POSIX_FADV_DONTNEED)
        self._hastened = self.size

    def _look(self) -> None:
        if self._room() <= 0:
            raise Unavailable("The disk has too little room; try again later.")
        self._look_at = self.size + _LOOK_BYTES

    @contextmanager
    def _keeping_trouble(self) -> Iterator[None]:
        try:
            yield
        except ScintiflowError as error:
            self.trouble = error
        except OSError:
            self.trouble = Unavailable("The disk did not take it; try again later.")
        if self.trouble:
            self.discard()


def file_meta(sop_class: str, sop_instance: str, syntax: str) -> bytes:
    """Return preamble and file meta information (DICOM PS3.10 7.1).

    The preamble is zeros, whatever the sender had there. Of optional elements there is none: the same data set
    must give the same bytes whoever sent it and whichever version of us received it, for they name the object.
    """
    elements = b"".join(
        (
            struct.pack("<HH2sHL2s", 2, 0x0001, b"OB", 0, 2, b"\0\1"),
            _uid_element(0x0002, sop_class),
            _uid_element(0x0003, sop_instance),
            _uid_element(0x0010, syntax),
            _uid_element(0x0012, IMPLEMENTATION_UID),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 2, 0x0000, b"UL", 4, len(elements)) + elements


def _uid_element(number: int, uid: str) -> bytes:
    value = uid.encode("ascii") + bytes(len(uid) % 2)
    return struct.pack("<HH2sH", 2, number, b"UI", len(value)) + value
