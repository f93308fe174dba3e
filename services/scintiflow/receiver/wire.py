"""Where pynetdicom is bent to our use: it shares a port, streams to disk, and wastes no time on the way.

As it comes it reads 4 KiB at a time, keeps data sets in memory, hands each message to a second thread that polls
for it, and copies 170 presentation contexts for every association. Written against pynetdicom 3.0; every private
name of it that we touch is in this file.
"""

import itertools
import math
import queue
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from scintiflow.receiver import metrics
from scintiflow.receiver.association import Visit
from scintiflow.receiver.headcount import Headcount
from scintiflow.receiver.lobby import Guest, Limits, Lobby
from scintiflow.receiver.patience import Patience
from scintiflow.receiver.sparing import Sparing
from scintiflow.receiver.status import A_ABORT, a_associate_rj

log = structlog.get_logger()

_WAIT_SECONDS = 0.1  # how late a timer may be seen; whatever else happens wakes whom it concerns

_ESTABLISHING_SECONDS = 30.0

_LONGEST_PDU = 1 << 20  # we say that ours is 128 KiB at most; some do not listen

_LONGEST_COMMAND = 1 << 14  # bytes; a C-STORE command comes to some 300

_MOST_UNSERVED = 64  # commands; nobody was allowed to send a second one before the first is answered

_CLOSING = "Sta13"  # the association is over, the peer has yet to close (DICOM PS3.8 table 9-5)

_FAREWELL_READS = 16


class Server(ThreadedAssociationServer):
    """Serves associations on a listening socket that other processes accept from too."""

    def __init__(
        self,
        ae: ApplicationEntity,
        listening: socket.socket,
        contexts: list[PresentationContext],
        visit: Callable[[int], Visit],
        waiting: Limits,
        associations: Headcount,
        patience: Callable[[], Patience],
        sparing: Sparing,
    ) -> None:
        self.socket: socket.socket
        self.visit = visit
        self.numbers = itertools.count(1)
        self._listening = listening
        self._lobby = Lobby(listening, waiting, self._welcome, sparing)
        self.patience = patience
        self._associations = associations
        self._sparing = sparing
        super().__init__(ae, listening.getsockname(), ae.ae_title, contexts, request_handler=Connection)

    def server_bind(self) -> None:
        """Take the inherited socket in place of the one just made."""
        self.socket.close()
        self.socket = self._listening
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it

    def server_activate(self) -> None:
        """Do nothing: the parent listens already."""

    def server_close(self) -> None:
        """Close our descriptor only; a shutdown would end listening in every process."""
        self.socket.close()

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until drained."""
        self._lobby.serve()

    def drain(self, seconds: float) -> int:
        """Accept nothing more, wait for the open associations; return how many are left when the time is over."""
        self._lobby.close()
        self.server_close()
        return self._associations.wait_until_empty(seconds)

    def _welcome(self, guest: Guest) -> None:
        """Give a guest that has asked for an association a thread, or put it off."""
        if not self._associations.enter(guest.host):
            metrics.ASSOCIATIONS.labels("rejected_limit").inc()
            self._sparing.warning(("limit", guest.host), "put off a sender: too many associations", address=guest.host)
            guest.answer(a_associate_rj("rejected_limit"))
            guest.connection.close()
            return
        # A daemon, because a drain that has reached its limit must not wait for it.
        threading.Thread(target=self._serve, args=(guest,), name=f"association of {guest.host}", daemon=True).start()

    def _serve(self, guest: Guest) -> None:
        try:
            Connection(guest, self)
        except Exception:
            log.exception("an association broke down")
        finally:
            self.shutdown_request(guest.connection)
            self._associations.leave(guest.host)


class Connection(RequestHandler):
    """Serves one connection, from its association request on, in its own thread."""

    server: Server

    def __init__(self, guest: Guest, server: Server) -> None:
        self._guest = guest
        super().__init__(guest.connection, guest.address, server)

    def handle(self) -> None:
        """Answer the association request, and run the association if there is one."""
        visit = self.server.visit(next(self.server.numbers))
        guest = self._guest
        if why := visit.admit(guest.calling_ae_title, guest.called_ae_title, guest.host, self.server.ae_title):
            guest.answer(a_associate_rj(why))
        elif (request := _understood(guest.request)) is None:
            visit.turn_away("malformed", guest.host, "aborted a malformed association request", address=guest.host)
            guest.answer(A_ABORT)
        else:
            self._run(visit, request)

    def _run(self, visit: Visit, request: A_ASSOCIATE_RQ) -> None:
        association = self._association(visit)
        connection = association.dul.socket
        for event, handler in (
            (evt.EVT_ACCEPTED, visit.welcome),
            (evt.EVT_ESTABLISHED, lambda event: event.assoc.dimse.established.set()),
            (evt.EVT_C_STORE, lambda event: visit.store(event.request, event.request._dataset_file)),
        ):
            association.bind(event, handler)
        association.dul._recv_pdu.put(request)
        association.dul.event_queue.put("Evt6")  # A-ASSOCIATE-RQ received
        try:
            association.start()
            association.join()
            association.dul.join(_WAIT_SECONDS)
        finally:
            association.dul.kill_dul()
            connection.alarm.close()
            visit.end(association)

    def _association(self, visit: Visit) -> Association:
        """Build the association as the library does, with our socket and message reader, and without its copies."""
        association = Association(self.ae, MODE_ACCEPTOR)
        association.name = f"AcceptorThread@{visit.name}"  # by this name the library counts associations
        association._server = self.server
        association.dimse = StreamingReader(association, visit)
        connection = WaitingSocket(association, self.request, visit, self.server.patience())
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


def _understood(request: bytearray) -> A_ASSOCIATE_RQ | None:
    """Return an association request decoded, or None if the library would lose its way in it."""
    pdu = A_ASSOCIATE_RQ()
    try:
        pdu.decode(bytes(request))
        pdu.to_primitive()
    except Exception:  # whatever a stranger's bytes may raise in there
        return None
    return pdu


class WaitingSocket(AssociationSocket):
    """Wakes its reader the moment something is to be read or sent, and reads a PDU in few calls.

    The library asks `ready` a thousand times a second, whether or not anything happens on an association, and waits
    as long as a peer likes that stops in the middle. This socket never blocks: it waits by itself, with `patience`.
    """

    def __init__(
        self, association: Association, client_socket: socket.socket, visit: Visit, patience: Patience
    ) -> None:
        super().__init__(association, client_socket=client_socket)
        self.alarm = Alarm()
        self._visit = visit
        self._patience = patience
        self._descriptor = client_socket.fileno()
        self._poll = select.poll()
        self._poll.register(client_socket, select.POLLIN)
        self._poll.register(self.alarm, select.POLLIN)

    @property
    def ready(self) -> bool:
        """Tell whether there is something to read, waiting a little unless there is something else to do."""
        if self.socket is None or not self._is_connected:
            return False
        if self._assoc.dul.state_machine.current_state == _CLOSING:
            self._hang_up(self.socket)
            return False
        if not self.event_queue.empty():
            return False
        began = time.monotonic()
        awake = {descriptor for descriptor, _ in self._poll.poll(_WAIT_SECONDS * 1000)}
        if self.alarm.fileno() in awake:
            self.alarm.hush()
        if self._assoc.dimse.message is None:
            self._patience.rest()
        elif not self._bears(time.monotonic() - began):
            self.event_queue.put("Evt19")  # the same end as for nonsense: abort
        return self._descriptor in awake

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes` bytes, or fewer if the peer has gone."""
        if nr_bytes > _LONGEST_PDU:
            self._visit.fault = "protocol"
            raise OSError("a PDU claims more bytes than any may have")  # before there is memory for it
        buffer = bytearray(nr_bytes)
        view, got = memoryview(buffer), 0
        while self.socket is not None and got < nr_bytes:
            try:
                count = self.socket.recv_into(view[got:])
            except BlockingIOError:
                self._wait_for_more(self.socket)
                continue
            if count == 0:
                return buffer[:got]
            got += count
            self._patience.heard(count)
        return buffer

    def send(self, bytestream: bytes) -> None:
        """Send a PDU, or give up a peer that does not read."""
        deadline = time.monotonic() + self._patience.window
        view = memoryview(bytestream)
        try:
            while self.socket is not None and view:
                try:
                    view = view[self.socket.send(view) :]
                except BlockingIOError:
                    if not _wait(self.socket, select.POLLOUT, deadline - time.monotonic()):
                        self._visit.fault = "too_slow"
                        raise TimeoutError("the peer does not read") from None
        except OSError:
            self.event_queue.put("Evt17")  # transport connection closed

    def _wait_for_more(self, connection: socket.socket) -> None:
        began = time.monotonic()
        _wait(connection, select.POLLIN, self._patience.left)
        if not self._bears(time.monotonic() - began):
            raise TimeoutError("the peer sends too slowly")

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
                if not _wait(connection, select.POLLIN, _WAIT_SECONDS) or not connection.recv(1 << 16):
                    return


def _wait(connection: socket.socket, event: int, seconds: float) -> bool:
    """Wait until a socket is ready for `event`, `seconds` at most; tell whether it is."""
    poll = select.poll()
    poll.register(connection, event)
    return bool(poll.poll(max(0, math.ceil(seconds * 1000))))


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
        self.message: DIMSEMessage | None = None
        self.established = threading.Event()
        self._visit = visit

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one P-DATA: fragments of commands, and of data sets; what is neither ends the association."""
        for context_id, fragment in primitive.presentation_data_value_list:
            control = fragment[0] if fragment else 0  # bit 0: command, bit 1: last fragment (DICOM PS3.8 E.2)
            if isinstance(self.message, C_STORE_RQ) and fragment and not control & 1:
                self._store(self.message, fragment, last=bool(control & 2))
            elif isinstance(self.message, C_STORE_RQ) or not control & 1 or not self._command(context_id, fragment):
                self.message = None
                self._visit.fault = "protocol"
                self.dul.event_queue.put("Evt19")  # abort
                return

    def _command(self, context_id: int, fragment: bytes) -> bool:
        """Take a fragment of a command set; tell whether all is well: C-ECHO, or C-STORE, which has a data set."""
        message = self.message = self.message or DIMSEMessage()
        if message.encoded_command_set.tell() + len(fragment) > _LONGEST_COMMAND:
            return False
        part = P_DATA()
        part.presentation_data_value_list = [[context_id, fragment]]
        try:
            complete = message.decode_msg(part)
            request = message.message_to_primitive() if complete else None
        except Exception:  # whatever a peer's bytes may raise in there
            return False
        if request is not None:
            self.message = None
            self.msg_queue.put((context_id, request))
            return isinstance(message, C_ECHO_RQ | C_STORE_RQ) and self.msg_queue.qsize() < _MOST_UNSERVED
        return type(message) in (DIMSEMessage, C_STORE_RQ)

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
