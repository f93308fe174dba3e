"""What wakes a thread that waits, the moment there is something for it to do."""

import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pynetdicom.timer import Timer

WAIT_SECONDS = 0.1  # how late a timer may be seen; whatever else happens wakes whom it concerns


class Alarm:
    """Wakes a thread that waits for a socket."""

    def __init__(self) -> None:
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)

    def fileno(self) -> int:
        """Return what becomes readable."""
        return self._ear.fileno()

    def ring(self) -> None:
        """Make it readable."""
        with suppress(OSError):  # full: it rings already; closed: nobody waits
            self._bell.send(b"!")

    def hush(self) -> None:
        """Make it quiet again."""
        with suppress(OSError):
            self._ear.recv(4096)

    def close(self) -> None:
        """Give its descriptors back."""
        self._ear.close()
        self._bell.close()


class Pace(threading.Event):
    """Stands in for the event that an association's loop checks a thousand times a second, and lets it rest."""

    def __init__(self) -> None:
        super().__init__()
        self._nudged = threading.Event()
        self.set()

    def nudge(self) -> None:
        """End the rest: there is something to do."""
        self._nudged.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Rest, then wait as the library means to."""
        self._nudged.wait(WAIT_SECONDS)
        self._nudged.clear()
        return super().wait(timeout)


class Silence(Timer):
    """How long a peer has said nothing: by a clock that nobody sets, and not while we are at work for it."""

    _began: float | None = None

    def start(self) -> None:
        """Count from now."""
        self._began = time.monotonic()

    def stop(self) -> None:
        """Count no more until started."""
        self._began = None

    @property
    def expired(self) -> bool:
        """Tell whether it has lasted too long."""
        began, longest = self._began, self.timeout
        return began is not None and longest is not None and time.monotonic() - began > longest


class WakingQueue(queue.Queue[Any]):
    """Wakes its reader at every item."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item and wake the reader."""
        super().put(item, block, timeout)
        self._wake()
