"""The socket of an association: P-DATA is served from it at once, the rest is left to pynetdicom."""

import math
import select
import socket
import time
from contextlib import suppress

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from scintiflow.receiver.association import Visit
from scintiflow.receiver.fragments import LONGEST_PDU, P_DATA_TF, Malformed
from scintiflow.receiver.patience import Patience
from scintiflow.receiver.transfer import Transfer
from scintiflow.receiver.waiting import WAIT_SECONDS, Alarm

_DATA_TRANSFER = "Sta6"  # the association is established (DICOM PS3.8 table 9-3)

_CLOSING = "Sta13"  # the association is over, the peer has yet to close (DICOM PS3.8 table 9-5)

_FAREWELL_READS = 16

_BUFFER_BYTES = 1 << 18


class WaitingSocket(AssociationSocket):
    """Serves P-DATA the moment it comes, and wakes the library for whatever else is to be read or sent.

    The library asks `ready` a thousand times a second, whether or not anything happens on an association, reads 4 KiB
    at a time, and waits as long as a peer likes that stops in the middle. This socket never blocks: it waits by
    itself, with `patience`.
    """

    def __init__(
        self,
        association: Association,
        client_socket: socket.socket,
        transfer: Transfer,
        visit: Visit,
        patience: Patience,
    ) -> None:
        super().__init__(association, client_socket=client_socket)
        self.alarm = Alarm()
        self._transfer = transfer
        self._visit = visit
        self._patience = patience
        self._answers_may_wait = patience.window
        """Seconds, for all PDUs together: who reads an answer before asking again keeps none of them waiting."""
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._unread = b""
        self._descriptor = client_socket.fileno()
        self._poll = select.poll()
        self._poll.register(client_socket, select.POLLIN)
        self._poll.register(self.alarm, select.POLLIN)

    @property
    def ready(self) -> bool:
        """Tell whether the library has something to read, waiting a little unless it has something else to do."""
        if self.socket is None or not self._is_connected:
            return False
        state = self._assoc.dul.state_machine.current_state
        if state == _DATA_TRANSFER:
            return self._serve(self.socket)
        if state == _CLOSING:
            self._hang_up(self.socket)
            return False
        self._patience.rest()
        return self.event_queue.empty() and (bool(self._unread) or self._heard())

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes` bytes, or fewer if the peer has gone."""
        if nr_bytes > LONGEST_PDU:
            self._visit.fault = "protocol"
            raise OSError("a PDU claims more bytes than any may have")  # before there is memory for it
        data, self._unread = bytearray(self._unread[:nr_bytes]), self._unread[nr_bytes:]
        while self.socket is not None and len(data) < nr_bytes:
            try:
                piece = self.socket.recv(nr_bytes - len(data))
            except BlockingIOError:
                self._wait_for_more(self.socket)
                continue
            if not piece:
                break
            data += piece
            self._patience.heard(len(piece))
        return data

    def send(self, bytestream: bytes) -> None:
        """Send a PDU, or give up a peer that does not read."""
        view = memoryview(bytestream)
        try:
            while self.socket is not None and view:
                try:
                    view = view[self.socket.send(view) :]
                except BlockingIOError:
                    self._wait_for_room(self.socket)
        except OSError:
            self.event_queue.put("Evt17")  # transport connection closed

    def _serve(self, connection: socket.socket) -> bool:
        """Serve P-DATA while it comes and the library has nothing else to do; tell whether that is to read."""
        dul = self._assoc.dul
        while not (dul.event_queue.queue or dul.to_provider_queue.queue or dul._kill_thread):
            kept = len(self._unread)
            if kept and self._transfer.fragments.between_pdus and self._unread[0] != P_DATA_TF:
                return True
            self._buffer[:kept] = self._unread
            try:
                count = connection.recv_into(self._buffer[kept:])
            except BlockingIOError:
                if not self._heard_in_time():
                    return False
                continue
            except OSError:
                return True  # it will meet the error itself
            if count == 0:
                return True
            self._patience.heard(count)
            dul._idle_timer.stop()  # now it waits for us
            self._take(self._buffer[: kept + count])
            dul._idle_timer.start()
        return False

    def _take(self, stream: memoryview) -> None:
        try:
            self._unread = bytes(stream[self._transfer.fragments.take(stream) :])
        except Malformed:
            self._unread = b""
            self._visit.fault = "protocol"
            self.event_queue.put("Evt19")  # unrecognised or invalid PDU: abort

    def _heard_in_time(self) -> bool:
        """Wait a little for the peer or the alarm; tell whether it was the peer, and abort if it keeps us waiting."""
        began = time.monotonic()
        heard = self._heard()
        if not self._unread and self._transfer.at_rest:
            self._patience.rest()
        elif not self._bears(time.monotonic() - began):
            self.event_queue.put("Evt19")  # the same end as for nonsense: abort
        return heard

    def _heard(self) -> bool:
        """Wait a little for the peer or the alarm; tell whether it was the peer."""
        awake = {descriptor for descriptor, _ in self._poll.poll(WAIT_SECONDS * 1000)}
        if self.alarm.fileno() in awake:
            self.alarm.hush()
        return self._descriptor in awake

    def _wait_for_more(self, connection: socket.socket) -> None:
        began = time.monotonic()
        _wait(connection, select.POLLIN, self._patience.left)
        if not self._bears(time.monotonic() - began):
            raise TimeoutError("the peer sends too slowly")

    def _wait_for_room(self, connection: socket.socket) -> None:
        began = time.monotonic()
        has_room = _wait(connection, select.POLLOUT, self._answers_may_wait)
        self._answers_may_wait -= time.monotonic() - began
        if not has_room:
            self._visit.fault = "too_slow"
            raise TimeoutError("the peer does not read")

    def _bears(self, seconds: float) -> bool:
        if self._patience.bears(seconds):
            return True
        self._visit.fault = "too_slow"
        return False

    def _hang_up(self, connection: socket.socket) -> None:
        """Let a peer that is still sending read our last word, but not hold us."""
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            for _ in range(_FAREWELL_READS):
                if not _wait(connection, select.POLLIN, WAIT_SECONDS) or not connection.recv(1 << 16):
                    return


def _wait(connection: socket.socket, event: int, seconds: float) -> bool:
    """Wait until a socket is ready for `event`, `seconds` at most; tell whether it is."""
    descriptor = connection.fileno()
    if descriptor < 0:
        raise OSError("closed by another thread")
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(max(0, math.ceil(seconds * 1000))))
