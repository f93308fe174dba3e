"""A bound on a whole conversation with a neighbour, however it drags on.

The time-outs of sockets, httpx and pynetdicom bound the wait for the next byte. A neighbour who sends one byte a
second, stops in the middle of a message, or never reads, holds its caller for ever all the same.
"""

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Deadline:
    """Shuts the connections that it watches down once the time allowed is over; what waits on them then fails."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._over = False
        self._timer = self._started(seconds)

    def __enter__(self) -> "Deadline":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._timer.cancel()

    def allow(self, seconds: float) -> None:
        """Give so many seconds from now, for what comes next."""
        self._timer.cancel()
        self._timer = self._started(seconds)

    def watch(self, connection: socket.socket) -> None:
        """Shut `connection` down too when the time is over."""
        with self._lock:
            self._watched.append(connection)
            over = self._over
        if over:
            _hang_up(connection)

    def _started(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._pass)
        timer.daemon = True
        timer.start()
        return timer

    def _pass(self) -> None:
        with self._lock:
            self._over = True
            watched = list(self._watched)
        for connection in watched:
            _hang_up(connection)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)
