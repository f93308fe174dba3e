"""Where a connection waits until it has asked for an association.

Whoever reaches the port may connect and say nothing, or say it byte by byte. Here such a connection costs a
descriptor and the bytes it has sent, no thread; who does not ask in time has to leave, and when it gets crowded the
one that has waited longest of the address that holds most places. A genuine peer asks as soon as it is connected,
so it gets through, also from the same address as the crowd.
"""

import errno
import selectors
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from scintiflow.receiver import metrics
from scintiflow.receiver.sparing import Sparing

Reason = Literal["probe", "late", "crowded", "foreign", "too_long", "cut_short"]
"""Why a connection left without an association; also the label of the metric."""

LONGEST_REQUEST = 1 << 18
"""Bytes; 128 presentation contexts of 15 transfer syntaxes, all UIDs of 64 characters, come to 140 KiB."""

_HEADER = 6
_SHORTEST_REQUEST = 68
_ASSOCIATE_RQ = 0x01
_TURN_SECONDS = 0.2  # how late a deadline or a stop may be seen
_HEAD_START_SECONDS = 0.002  # for a process that serves one association less
_LONGEST_HEAD_START = 0.01
_MOST_COURTESY_SECONDS = 0.08  # in a row: so many genuine peers hardly connect in the same moment
_COURTESY_SHARE = 0.05  # of the time, in the long run: a crowd would grow behind it, and genuine peers wait in it
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True)
class Limits:
    """How much may wait in one lobby."""

    seconds: float
    """From connecting to the last byte of the request."""
    sockets: int
    sockets_per_address: int


class Leaving(Exception):
    """A guest has to go, or is gone."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(eq=False)
class Guest:
    """One connection that has not asked yet; `address` as the socket gives it, first the host."""

    connection: socket.socket
    address: tuple[Any, ...]
    deadline: float
    request: bytearray = field(default_factory=bytearray)
    _wanted: int = _HEADER

    @property
    def host(self) -> str:
        """The IP address."""
        return str(self.address[0])

    def listen(self) -> bool:
        """Take what has come, never more than the request; tell whether it is complete (DICOM PS3.8 9.3.2).

        Raises:
            Leaving: it is gone, or what it says is no association request.
        """
        while len(self.request) < self._wanted:
            try:
                heard = self.connection.recv(self._wanted - len(self.request))
            except BlockingIOError:
                return False
            except OSError:
                heard = b""
            if not heard:
                raise Leaving("cut_short" if self.request else "probe")
            self.request += heard
            self._judge()
        return True

    @property
    def called_ae_title(self) -> str:
        """Whom it calls; an illegal title is kept as it is (DICOM PS3.8 table 9-11)."""
        return self.request[10:26].decode("latin-1").strip(" ")

    @property
    def calling_ae_title(self) -> str:
        """Who it says it is."""
        return self.request[26:42].decode("latin-1").strip(" ")

    def answer(self, pdu: bytes) -> None:
        """Send one small PDU, unless it is gone."""
        with suppress(OSError):
            self.connection.sendall(pdu)

    def _judge(self) -> None:
        if self.request[0] != _ASSOCIATE_RQ:
            raise Leaving("foreign")
        if len(self.request) == _HEADER:
            self._wanted = _HEADER + int.from_bytes(self.request[2:], "big")
            if self._wanted > LONGEST_REQUEST:
                raise Leaving("too_long")
            if self._wanted < _SHORTEST_REQUEST:
                raise Leaving("foreign")


class Lobby:
    """Accepts connections from `listening`, which others may accept from too, and passes on those that have asked.

    `busy` tells how many associations this process serves: the more, the later it accepts, so that they spread.
    """

    def __init__(
        self,
        listening: socket.socket,
        limits: Limits,
        busy: Callable[[], int],
        pass_on: Callable[[Guest], None],
        sparing: Sparing,
    ) -> None:
        self._listening = listening
        self._limits = limits
        self._busy = busy
        self._pass_on = pass_on
        self._sparing = sparing
        self._courtesy_seconds = _MOST_COURTESY_SECONDS
        self._counted_at = time.monotonic()
        self._closing = False
        self._closed = threading.Event()
        self._guests: dict[Guest, None] = {}
        self._of: defaultdict[str, dict[Guest, None]] = defaultdict(dict)
        self._selector = selectors.DefaultSelector()
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ)

    def __len__(self) -> int:
        return len(self._guests)

    def serve(self) -> None:
        """Receive guests until closed."""
        try:
            while not self._closing:
                self.turn(_TURN_SECONDS)
        finally:
            for guest in list(self._guests):
                self._leave(guest)
            self._selector.close()
            self._closed.set()

    def close(self) -> None:
        """Accept nothing more, and send away who waits."""
        self._closing = True
        self._closed.wait()

    def turn(self, seconds: float) -> None:
        """Wait `seconds` at most for something to happen, and see to it."""
        happened = [key for key, _ in self._selector.select(seconds)]
        for key in happened:
            if key.data and key.data in self._guests:
                self._hear(key.data)
        self._expire(time.monotonic())
        if any(key.data is None for key in happened):
            self._accept()
        self._sparing.catch_up()

    def _accept(self) -> None:
        """Accept one; a second try with nobody there would fail for want of descriptors all the same."""
        time.sleep(self._courtesy())
        try:
            connection, address = self._listening.accept()
        except OSError as error:  # most often another process was quicker
            if error.errno in _EXHAUSTED and not self._yield_a_place():
                self._sparing.warning("exhausted", "cannot accept connections", error=error.strerror)
                time.sleep(_TURN_SECONDS)  # there is still one to accept: do not spin
            return
        connection.setblocking(False)
        self._receive(Guest(connection, address, time.monotonic() + self._limits.seconds))

    def _courtesy(self) -> float:
        """Return the seconds of head start that a less busy process gets, out of what there is for that."""
        now = time.monotonic()
        earned = _COURTESY_SHARE * (now - self._counted_at)
        self._counted_at = now
        left = min(self._courtesy_seconds + earned, _MOST_COURTESY_SECONDS)
        seconds = min(self._busy() * _HEAD_START_SECONDS, _LONGEST_HEAD_START, left)
        self._courtesy_seconds = left - seconds
        return seconds

    def _receive(self, guest: Guest) -> None:
        if len(self._of[guest.host]) >= self._limits.sockets_per_address:
            self._send_away(next(iter(self._of[guest.host])), "crowded")
        elif len(self._guests) >= self._limits.sockets:
            self._yield_a_place()
        self._guests[guest] = self._of[guest.host][guest] = None
        self._selector.register(guest.connection, selectors.EVENT_READ, guest)
        self._hear(guest)  # most have asked already

    def _hear(self, guest: Guest) -> None:
        try:
            if not guest.listen():
                return
        except Leaving as leaving:
            self._send_away(guest, leaving.reason)
        else:
            self._forget(guest)
            self._pass_on(guest)

    def _expire(self, now: float) -> None:
        while (guest := next(iter(self._guests), None)) and guest.deadline <= now:  # they stand as they came
            self._send_away(guest, "late")

    def _yield_a_place(self) -> bool:
        """Send the longest waiting of the address with most guests away; tell whether there was one."""
        fullest = max(self._of.values(), key=len, default={})
        for guest in fullest:
            self._send_away(guest, "crowded")
            return True
        return False

    def _send_away(self, guest: Guest, reason: Reason) -> None:
        self._leave(guest)
        metrics.TURNED_AWAY.labels(reason).inc()
        if reason != "probe":  # a load balancer's check is no event
            event = "closed a connection that did not ask for an association"
            self._sparing.warning(guest.host, event, address=guest.host, reason=reason)

    def _leave(self, guest: Guest) -> None:
        self._forget(guest)
        guest.connection.close()

    def _forget(self, guest: Guest) -> None:
        self._selector.unregister(guest.connection)
        del self._guests[guest]
        del self._of[guest.host][guest]
        if not self._of[guest.host]:
            del self._of[guest.host]
