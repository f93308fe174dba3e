"""What an installation takes of the machine, all its processes together."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.drills.crash.installation import Installation
from tests.folders import everything_below

_PER_STUDY_BYTES = 48 << 10  # the keeper keeps every study's record in memory, by design
_REDIS_FILE_BYTES = 96 << 20  # Redis rewrites its file when it has 64 MiB


@dataclass(frozen=True)
class Resources:
    """One look."""

    memory: int
    """Bytes without a file behind them; pages of libraries would count for less while a second installation runs."""
    threads: int
    descriptors: int
    leftovers: int
    """Bytes on disk beside the studies and Redis' file."""
    redis: int
    """Bytes of Redis' file."""

    def beyond(self, before: "Resources", studies: int) -> list[str]:
        """Return in what this is more than a tenth above `before`, `studies` studies later."""
        bounds = {
            "memory": max(64 << 20, before.memory // 10) + studies * _PER_STUDY_BYTES,
            "threads": max(12, before.threads // 10),
            "descriptors": max(24, before.descriptors // 10),
            "leftovers": 1 << 20,
            "redis": _REDIS_FILE_BYTES,
        }
        return [
            f"{name}: {getattr(before, name):,} before, {getattr(self, name):,} after"
            for name, more in bounds.items()
            if getattr(self, name) > getattr(before, name) + more
        ]


def measure(installation: Installation) -> Resources:
    """Look at all processes and at the disk."""
    memory = threads = descriptors = 0
    for process in installation.processes():
        try:
            resident = process.memory_info()
            memory += resident.rss - resident.shared
            threads += process.num_threads()
            descriptors += process.num_fds()
        except psutil.NoSuchProcess:
            continue
    redis = _size(installation.data / "redis")
    leftovers = _size(installation.data / "incoming") + _size(installation.temporary)
    return Resources(memory, threads, descriptors, leftovers, redis)


def _size(folder: Path) -> int:
    """Return what a folder takes on disk, folders included."""
    total = 0
    for path in [folder, *everything_below(folder)]:
        with suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total
