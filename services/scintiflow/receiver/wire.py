"""Where pynetdicom is bent to our use: it shares a port, streams to disk, and wastes no time on the way.

As it comes it reads 4 KiB at a time, keeps data sets in memory, hands each message to a second thread that polls
for it, and copies 170 presentation contexts for every association. Written against pynetdicom 3.0; every private
name of it that we touch is in this file.
"""

import itertools
import select
import socket
import threading
from collections.abc import Callable
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

_WAIT_SECONDS = 0.002


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
        for event, handler in (
            (evt.EVT_REQUESTED, visit.admit),
            (evt.EVT_ACCEPTED, visit.welcome),
            (evt.EVT_C_STORE, visit.store),
        ):
            association.bind(event, handler)
        try:
            association.start()
            association.join()
        finally:
            visit.end(association)

    def _association(self, visit: Visit) -> Association:
        """Build the association as the library does, with our socket and message reader, and without its copies."""
        association = Association(self.ae, MODE_ACCEPTOR)
        association.name = f"AcceptorThread@{visit.name}"  # by this name the library counts associations
        association._server = self.server
        association.dimse = StreamingReader(association, visit)
        association.dul.daemon = True
        association.dul._run_loop_delay = 0  # WaitingSocket waits instead
        association.set_socket(WaitingSocket(association, client_socket=self.request))
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
    """Wakes its reader the moment data are there, and reads a PDU in as few calls as the kernel allows."""

    @property
    def ready(self) -> bool:
        """Tell whether there is something to read, waiting a little for it."""
        connection = self.socket
        if connection is None or not self._is_connected:
            return False
        try:
            return bool(select.select([connection], [], [], _WAIT_SECONDS)[0])
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # transport connection closed
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes` bytes, or fewer if the peer has gone."""
        buffer = bytearray(nr_bytes)
        view, got = memoryview(buffer), 0
        while self.socket is not None and got < nr_bytes:
            count = self.socket.recv_into(view[got:])
            if count == 0:
                return buffer[:got]
            got += count
        return buffer


class StreamingReader(DIMSEServiceProvider):
    """Puts data sets of C-STORE requests on disk as they come, and serves them in the thread that reads them."""

    def __init__(self, association: Association, visit: Visit) -> None:
        super().__init__(association)
        self._visit = visit

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one P-DATA: fragments of commands, and of data sets."""
        for context_id, fragment in primitive.presentation_data_value_list:
            single = P_DATA()
            single.presentation_data_value_list = [[context_id, fragment]]
            control = fragment[0]  # bit 0: command, bit 1: last fragment (DICOM PS3.8 E.2)
            if control & 1 or not isinstance(self.message, C_STORE_RQ):
                super().receive_primitive(single)
            else:
                self._store(self.message, single, last=bool(control & 2))

    def _store(self, message: DIMSEMessage, fragment: P_DATA, *, last: bool) -> None:
        context = self.assoc._accepted_cx.get(message.context_id)
        if message._data_set_file is None:
            syntax = context.transfer_syntax[0] if context else None
            message._data_set_file = self._visit.receive(message.command_set, syntax)
        if not last or context is None or message.command_set.get("MessageID") is None:
            super().receive_primitive(fragment)  # what the library cannot answer, it ends
            return
        message.decode_msg(fragment, self.assoc)
        self.message = None
        StorageServiceClass(self.assoc).SCP(message.message_to_primitive(), context)
