"""C-STORE as a user, without losing the answer.

pynetdicom 3.0 sends from the caller's thread while a loop of the association's own also takes messages, and takes
that loop to rest when it may just be setting off again: then the loop swallows the answer, and the caller waits for
its time-out. It was seen once in some two thousand C-STOREs on a busy machine.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import _config, evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.events import Event

logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # what matters is raised, in our words
_config.LOG_HANDLER_LEVEL = "none"  # or every PDU is described for a log that nobody keeps

_REST_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_PEERS_TURN = ("Sta5", "Sta7")  # an association, or its release, is requested and not answered (PS3.8 table 9-10)


def c_store(association: Association, what: Path | Dataset) -> Dataset:
    """Send one object; return the answer's status, empty when there was no answer.

    Raises:
        ValueError: no presentation context for it was accepted.
        RuntimeError: the association is over.
    """
    if not isinstance(association._reactor_checkpoint, Checkpoint):
        association._reactor_checkpoint = Checkpoint()
    association._reactor_checkpoint.hold(_REST_SECONDS, association.is_alive)
    try:
        answer: Dataset = association.send_c_store(what)
    finally:
        association._reactor_checkpoint.set()  # or nobody would notice how the association ends
    return answer


def without_delay(event: Event) -> None:
    """Switch Nagle's algorithm off on a connection just opened: it costs an association 40 ms a message."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def listening(event: Event) -> None:
    """Let an association just opened listen for the peer while it has nothing to say, as often as there is a need.

    DCMTK, and so Orthanc, writes an answer in two pieces, the second when it knows that the first has come: the kernel
    has to be told whenever we wait, for by itself it goes back to acknowledging after 40 ms. And while the peer thinks
    about the association, or about its end, nobody has to look for its answer a thousand times a second.
    """
    dul = event.assoc.dul
    connection = dul.socket.socket

    def is_transport_event() -> bool:
        with suppress(OSError, ValueError):  # it is over
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if dul.state_machine.current_state in _PEERS_TURN:
                select.select([connection], [], [], _LOOK_SECONDS)
        came: bool = DULServiceProvider._is_transport_event(dul)
        return came

    dul._is_transport_event = is_transport_event


PROMPTLY = ((evt.EVT_CONN_OPEN, without_delay), (evt.EVT_CONN_OPEN, listening))
"""Handlers for an association in which neither side waits for the other's kernel."""


class Checkpoint(threading.Event):
    """Stands in for the event at which an association's loop waits, and knows whether it does."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = threading.Condition()
        self._open, self._at_rest = True, False

    def is_set(self) -> bool:
        """Tell whether the loop may pass."""
        return self._open

    def set(self) -> None:
        """Let the loop pass."""
        with self._waiting:
            self._open, self._at_rest = True, False
            self._waiting.notify_all()

    def clear(self) -> None:
        """Stop the loop when it comes by."""
        with self._waiting:
            self._open = False

    def wait(self, timeout: float | None = None) -> bool:
        """Rest, as the loop, until it may pass."""
        with self._waiting:
            while not self._open:
                self._at_rest = True
                self._waiting.notify_all()
                if not self._waiting.wait(timeout):
                    break
            return self._open

    def hold(self, seconds: float, alive: Callable[[], bool]) -> bool:
        """Stop the loop and wait until it rests, for `seconds` at most or until it is over; tell whether it rests."""
        deadline = time.monotonic() + seconds
        with self._waiting:
            self._open = False
            while not self._at_rest and alive() and time.monotonic() < deadline:
                self._waiting.wait(_LOOK_SECONDS)
            return self._at_rest
