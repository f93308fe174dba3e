"""A ledger that outlives whoever writes it: one JSON line an entry, on disk before the next step."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any


class Ledger:
    """Appends to one file; safe from several threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def write(self, **facts: Any) -> dict[str, Any]:
        """Add a line with the time and return it, once it is durable."""
        entry = {"at": time.time(), **facts}
        with self._lock:
            self._file.write(json.dumps(entry).encode() + b"\n")
            os.fsync(self._file.fileno())
        return entry


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return all lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]
