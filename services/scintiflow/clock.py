"""Whether the machine's clock was set, and since when it has run evenly.

Ages on disk are differences of the wall clock. Across a step of it they say nothing, so whoever waits for days
counts from the last step: DATA/clock.jsonl holds one line for each, from every process that noticed it.
"""

import json
import time
from dataclasses import dataclass, field

from scintiflow.store import Store

_STEP_SECONDS = 1.0
_LONG_STEP_SECONDS = 3_600.0


def _wall_ahead() -> float:
    return time.time() - time.monotonic()


@dataclass
class Clock:
    """Compares the wall clock with the monotonic one, which nobody can set."""

    store: Store
    _ahead: float = field(default_factory=_wall_ahead)

    def step(self) -> float:
        """Return the seconds by which the clock was set since the last call, 0 for less than a second; note long ones.

        Raises:
            Unavailable: the disk does not take the note; the step is told again.
        """
        ahead = _wall_ahead()
        step = ahead - self._ahead
        if abs(step) > _LONG_STEP_SECONDS:
            self._note(step)
        self._ahead = ahead
        return step if abs(step) > _STEP_SECONDS else 0.0

    def even_since(self) -> float:
        """Return when the clock was last known to be set by more than an hour (Unix seconds); 0 if it never was."""
        path = self.store.data / "clock.jsonl"
        return max((_at(line) for line in path.read_bytes().splitlines()[-1:]), default=0.0) if path.exists() else 0.0

    def begin(self, last_seen: float, longest: float) -> None:
        """Note a step where a start finds that the last thing on disk happened `longest` seconds ago, or is to come.

        It may have been a long rest, or the clock was set meanwhile; the cautious answer costs no more than room.
        """
        rest = time.time() - max(last_seen, self.even_since())
        if not -_LONG_STEP_SECONDS <= rest <= longest:
            self._note(rest)

    def _note(self, step: float) -> None:
        line = json.dumps({"at": time.time(), "step": round(step)})
        self.store.append_line(self.store.data / "clock.jsonl", line.encode())


def _at(line: bytes) -> float:
    try:
        return float(json.loads(line)["at"])
    except (ValueError, KeyError, TypeError):
        return 0.0
