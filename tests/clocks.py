"""A clock of a test's own, which processes take for the machine's and which can be set while they run."""

import time
from dataclasses import dataclass
from pathlib import Path

LIBFAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
HOUR, YEAR = 3_600.0, 365.25 * 86_400.0


@dataclass(frozen=True)
class SetClock:
    """The wall clock of every process in whose environment it is; their monotonic clock is the machine's."""

    file: Path
    library: str = LIBFAKETIME

    def __post_init__(self) -> None:
        self.set_ahead(0)

    @property
    def environment(self) -> dict[str, str]:
        """What a process must be started with."""
        return {
            "LD_PRELOAD": self.library,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def set_ahead(self, seconds: float) -> None:
        """Let the clock differ from the machine's by `seconds`, from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+.0f}s\n")
        new.replace(self.file)

    def now(self) -> float:
        """Return its time (Unix seconds)."""
        return time.time() + float(self.file.read_text().rstrip("s\n"))
