"""A wall clock of a test's own, which processes take for the machine's and which is set while they run.

Not libfaketime: 0.9.10 with a true monotonic clock refuses Python's `time.sleep`.
"""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

HOUR, YEAR = 3_600.0, 365.25 * 86_400.0


@dataclass(frozen=True)
class SetClock:
    """The wall clock of every process in whose environment it is; their monotonic clock is the machine's."""

    folder: Path

    def __post_init__(self) -> None:
        """Build what is loaded into processes; skips, and says why, where there is no gcc."""
        if not shutil.which("gcc"):
            pytest.skip("gcc is not installed.")
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self.folder / "clock.so", source], check=True)
        self.set_ahead(0)

    @property
    def environment(self) -> dict[str, str]:
        """What a process must be started with."""
        return {"LD_PRELOAD": str(self.folder / "clock.so"), "SET_CLOCK": str(self.folder / "ahead")}

    def set_ahead(self, seconds: float) -> None:
        """Let the clock differ from the machine's by `seconds`, from now on."""
        with (self.folder / "ahead").open("r+b" if (self.folder / "ahead").exists() else "wb") as ahead:
            ahead.write(struct.pack("q", round(seconds)))
