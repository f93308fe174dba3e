"""Where pynetdicom is bent to our use: it shares a port, streams to disk, and wastes no time on the way.

As it comes it reads 4 KiB at a time, keeps data sets in memory, hands each message to a second thread that polls
for it, and copies 170 presentation contexts for every association. Written against pynetdicom 3.0; every private
name of it that we touch is in this file.
"""

import itertools
import queue
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from socketserver import TCPServer
from typing import Any

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from scintiflow.receiver.association import Visit

_WAIT_SECONDS = 0.1  # how late a timer may be seen; whatever else happens wakes whom it concerns

_ESTABLISHING_SECONDS = 30.0

_LONGEST_PDU = 1 << 20  # ours is 128 KiB at most; an association request with 128 contexts comes to a few hundred


class Server(ThreadedAssociationServer):
    """Accepts associations from a listening socket that other processes accept from too."""

    daemon_threads = True  # a drain that has reached its limit must not wait for them

    def __init__(
        self,
        ae: ApplicationEntity,
        listening: socket.socket,
        contexts: list[PresentationContext],
        visit: Callable[[int], Visit],
    ) -> None:
        self.socket: socket.socket
        self.visit = visit
        self.numbers = itertools.count(1)
        self._listening = listening
        self._connections = 0
        self._changed = threading.Condition()
        super().__init__(ae, listening.getsockname(), ae.ae_title, contexts, request_handler=Connection)

    def server_bind(self) -> None:
        """Take the inherited socket in place of the one just made."""
        self.socket.close()
        self.socket = self._listening
        self.socket.setblocking(False)  # another process may win the race that `select` has started
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it

    def server_activate(self) -> None:
        """Do nothing: the parent listens already."""

    def server_close(self) -> None:
        """Close our descriptor only; a shutdown would end listening in every process."""
        self.socket.close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection; no single read or write on it may take longer than the network timeout."""
        connection, address = super().get_request()
        connection.settimeout(self.ae.network_timeout)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count the connection before its thread starts, so that a drain cannot miss it."""
        with self._changed:
            self._connections += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection from beginning to end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._connections -= 1
                self._changed.notify_all()

    def drain(self, seconds: float) -> int:
        """Accept nothing more, wait for the open associations; return how many are left when the time is over."""
        TCPServer.shutdown(self)
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._connections == 0, seconds)
            return self._connections


class Connection(RequestHandler):
    """Serves one connection in its own thread."""

    server: Server

    def handle(self) -> None:
        """Run an association from the first byte to the last."""
        visit = self.server.visit(next(self.server.numbers))
        association = self._association(visit)
        connection = association.dul.socket
        for event, handler in (
            (evt.EVT_REQUESTED, visit.admit),
            (evt.EVT_ACCEPTED, visit.welcome),
            (evt.EVT_ESTABLISHED, lambda event: event.assoc.dimse.established.set()),
            (evt.EVT_C_STORE, lambda event: visit.store(event.request, event.request._dataset_file)),
        ):
            association.bind(event, handler)
        try:
            association.start()
            association.join()
            association.dul.join(_WAIT_SECONDS)
        finally:
            connection.alarm.close()
            visit.end(association)

    def _association(self, visit: Visit) -> Association:
        """Build the association as the library does, with our socket and message reader, and without its copies."""
        association = Association(self.ae, MODE_ACCEPTOR)
        association.name = f"AcceptorThread@{visit.name}"  # by this name the library counts associations
        association._server = self.server
        association.dimse = StreamingReader(association, visit)
        connection = WaitingSocket(association, client_socket=self.request)
        association.set_socket(connection)
        association._reactor_checkpoint = pace = Pace()
        association.dul.to_user_queue = WakingQueue(pace.nudge)
        association.dul.to_provider_queue = WakingQueue(connection.alarm.ring)
        association.dimse.msg_queue = WakingQueue(pace.nudge)
        association.dul._run_loop_delay = 0  # it waits on its socket instead
        association.dul.daemon = True
        acceptor = association.acceptor
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = self.server.contexts
        association.requestor.address_info = self.remote
        return association


class WaitingSocket(AssociationSocket):
    """Wakes its reader the moment something is to be read or sent, and reads a PDU in few calls.

    The library asks `ready` a thousand times a second, whether or not anything happens on an association.
    """

    def __init__(self, association: Association, client_socket: socket.socket) -> None:
        super().__init__(association, client_socket=client_socket)
        self.alarm = Alarm()
        self._descriptor = client_socket.fileno()
        self._poll = select.poll()
        self._poll.register(client_socket, select.POLLIN)
        self._poll.register(self.alarm, select.POLLIN)

    @property
    def ready(self) -> bool:
        """Tell whether there is something to read, waiting a little unless there is something else to do."""
        if self.socket is None or not self._is_connected:
            return False
        wait = _WAIT_SECONDS if self.event_queue.empty() else 0
        awake = {descriptor for descriptor, _ in self._poll.poll(wait * 1000)}
        if self.alarm.fileno() in awake:
            self.alarm.hush()
        return self._descriptor in awake

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes` bytes, or fewer if the peer has gone."""
        if nr_bytes > _LONGEST_PDU:
            raise OSError("a PDU claims more bytes than any may have")  # before there is memory for it
        buffer = bytearray(nr_bytes)
        view, got = memoryview(buffer), 0
        while self.socket is not None and got < nr_bytes:
            count = self.socket.recv_into(view[got:])
            if count == 0:
                return buffer[:got]
            got += count
        return buffer


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
        self._nudged.wait(_WAIT_SECONDS)
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


class StreamingReader(DIMSEServiceProvider):
    """Puts data sets of C-STORE requests on disk as they come, and serves them in the thread that reads them."""

    def __init__(self, association: Association, visit: Visit) -> None:
        super().__init__(association)
        self.established = threading.Event()
        self._visit = visit

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one P-DATA: fragments of commands, and of data sets."""
        for context_id, fragment in primitive.presentation_data_value_list:
            control = fragment[0]  # bit 0: command, bit 1: last fragment (DICOM PS3.8 E.2)
            if isinstance(self.message, C_STORE_RQ) and not control & 1:
                self._store(self.message, fragment, last=bool(control & 2))
            else:
                single = P_DATA()
                single.presentation_data_value_list = [[context_id, fragment]]
                super().receive_primitive(single)

    def _store(self, message: DIMSEMessage, fragment: bytes, *, last: bool) -> None:
        context = self.assoc._accepted_cx.get(message.context_id)
        if message._data_set_file is None:
            syntax = context.transfer_syntax[0] if context else None
            message._data_set_file = self._visit.receive(message.command_set, syntax)
        message._data_set_file.write(memoryview(fragment)[1:])
        if not last:
            return
        self.message = None
        # A quick peer's first object is here before the other thread has come back from accepting the association,
        # and the library answers nothing until it has.
        self.established.wait(_ESTABLISHING_SECONDS)
        if context is None or message.command_set.get("MessageID") is None:
            self.dul.event_queue.put("Evt19")  # not to be answered: abort, as the library does when it cannot read
        else:
            StorageServiceClass(self.assoc).SCP(message.message_to_primitive(), context)
