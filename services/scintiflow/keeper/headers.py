"""Headers of stored objects, the latest of them in memory: objects never change, so reading one once serves."""

import threading
from collections import OrderedDict
from pathlib import Path

from pydicom import Dataset, dcmread

from scintiflow.dicom.header import LONG_VALUE


class Headers:
    """Keeps what came from `most_bytes` of disk at most; in memory a usual header takes some twenty times as much."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Path, tuple[Dataset, int]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path) -> Dataset:
        """Return an object up to its pixels, its long values left on disk until somebody asks for them.

        Raises:
            OSError: the disk does not give it back.
            Exception: whatever pydicom raises on what it cannot read.
        """
        with self._lock:
            if path not in self._kept:
                self._keep(path, *_read(path))
            self._kept.move_to_end(path)
            header, _ = self._kept[path]
            self._forget_oldest()
            return header

    def _keep(self, path: Path, header: Dataset, size: int) -> None:
        self._kept[path] = header, size
        self._bytes += size

    def _forget_oldest(self) -> None:
        while self._bytes > self._most_bytes:
            _, (_, size) = self._kept.popitem(last=False)
            self._bytes -= size


def _read(path: Path) -> tuple[Dataset, int]:
    """Return the header, and how many bytes of the file it is."""
    with path.open("rb") as file:
        return dcmread(file, defer_size=LONG_VALUE, stop_before_pixels=True), file.tell()
