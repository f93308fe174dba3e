"""Log lines that a peer can provoke: few, however often it tries."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import structlog

_MOST_KEYS = 256
_OTHERS = "warnings of more peers than are told apart"


@dataclass
class _Said:
    since: float
    event: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    times: int = 0


class Sparing:
    """Warns at once, then at most every `seconds` of an event with one key, with the number of times in between."""

    def __init__(self, seconds: float = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._said: dict[Hashable, _Said] = {}
        self._lock = threading.Lock()

    def warning(self, key: Hashable, event: str, **facts: object) -> None:
        """Log `event` with `facts`, now or later."""
        key = event, key
        with self._lock:
            if key not in self._said and len(self._said) >= _MOST_KEYS:
                key, event, facts = None, _OTHERS, {}  # else one of them would stand for all
            said = self._said.get(key)
            if said is None:
                self._said[key] = _Said(self._clock())
                structlog.get_logger().warning(event, **facts)
            else:
                said.event, said.facts, said.times = event, facts, said.times + 1

    def catch_up(self) -> None:
        """Log what has waited long enough, and forget what has stopped."""
        now = self._clock()
        with self._lock:
            for key, said in list(self._said.items()):
                if now - said.since < self._seconds:
                    return  # the rest is younger
                del self._said[key]
                if said.times:
                    structlog.get_logger().warning(said.event, times=said.times, **said.facts)
                    self._said[key] = _Said(now)
