"""What wakes a thread that waits, the moment there is something for it to do."""

import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

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


class WakingQueue(queue.Queue[Any]):
    """Wakes its reader at every item."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item and wake the reader."""
        super().put(item, block, timeout)
        self._wake()
