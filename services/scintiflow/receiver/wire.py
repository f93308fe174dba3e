"""Where pynetdicom is bent to our use: it shares a port, streams to disk, and wastes no time on the way.

As it comes it reads 4 KiB at a time, keeps data sets in memory, takes each P-DATA through a state machine, hands
each message to a second thread that polls for it, and copies 170 presentation contexts for every association.
Written against pynetdicom 3.0; every private name of it that we touch is here, in `waiting_socket` and `transfer`.
For us to need none, it would have to wait on its sockets and queues instead of asking them a thousand times a
second, read into a large buffer, offer an event for each P-DATA fragment and a sink for a data set on its way,
answer a C-STORE from the thread that reads, serve a connection that somebody else has accepted, and share the
supported contexts between associations.
"""

import itertools
import socket
import threading
from collections.abc import Callable

import structlog
from pynetdicom import evt
from pynetdicom._globals import APPLICATION_CONTEXT_NAME, MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from scintiflow.receiver import metrics
from scintiflow.receiver.association import Visit
from scintiflow.receiver.headcount import Headcount
from scintiflow.receiver.lobby import Guest, Limits, Lobby
from scintiflow.receiver.patience import Patience
from scintiflow.receiver.request import understood
from scintiflow.receiver.sparing import Sparing
from scintiflow.receiver.status import A_ABORT, a_associate_rj
from scintiflow.receiver.transfer import Transfer
from scintiflow.receiver.waiting import WAIT_SECONDS, Pace, Silence, WakingQueue
from scintiflow.receiver.waiting_socket import WaitingSocket

log = structlog.get_logger()

_ANSWERS_BYTES = 1 << 16  # in the kernel for a peer that does not read; some hundred answers, of which one is due
_COMING_BYTES = 1 << 19  # the kernel doubles it: a whole scan comes while we see to another, and no more than a MiB


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
        self._lobby = Lobby(listening, waiting, associations.here, self._welcome, sparing)
        self.patience = patience
        self._associations = associations
        self._sparing = sparing
        super().__init__(ae, listening.getsockname(), ae.ae_title, contexts, request_handler=Connection)

    def server_bind(self) -> None:
        """Take the inherited socket in place of the one just made."""
        self.socket.close()
        self.socket = self._listening
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit them all
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ANSWERS_BYTES)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _COMING_BYTES)

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
            self._put_off(guest, "too many associations")
            return
        try:  # a daemon, because a drain that has reached its limit must not wait for it
            threading.Thread(target=self._serve, args=(guest,), name=f"of {guest.host}", daemon=True).start()
        except RuntimeError:
            self._associations.leave(guest.host)
            self._put_off(guest, "the machine has no thread to spare")

    def _put_off(self, guest: Guest, why: str) -> None:
        metrics.ASSOCIATIONS.labels("rejected_limit").inc()
        self._sparing.warning(("limit", guest.host), "put off a sender", why=why, address=guest.host)
        guest.answer(a_associate_rj("rejected_limit"))
        guest.connection.close()

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
        elif (request := understood(guest.request)) is None:
            visit.turn_away("malformed", guest.host, "aborted a malformed association request", address=guest.host)
            guest.answer(A_ABORT)
        elif request.application_context_name != APPLICATION_CONTEXT_NAME:
            hint = "rejected a sender that asks for another application than DICOM"
            visit.turn_away("rejected_context", guest.host, hint, address=guest.host)
            guest.answer(a_associate_rj("rejected_context"))
        else:
            self._run(visit, request)

    def _run(self, visit: Visit, request: A_ASSOCIATE_RQ) -> None:
        association = self._association(visit)
        transfer = Transfer(association, visit)
        connection = self._connect(association, transfer, visit)
        association.bind(evt.EVT_ACCEPTED, visit.welcome)
        association.bind(evt.EVT_ESTABLISHED, lambda event: transfer.established.set())
        association.dul._recv_pdu.put(request)
        association.dul.event_queue.put("Evt6")  # A-ASSOCIATE-RQ received
        try:
            association.start()
            association.join()
            association.dul.join(WAIT_SECONDS)
        finally:
            association.dul.kill_dul()
            connection.alarm.close()
            visit.end(association)

    def _association(self, visit: Visit) -> Association:
        """Build the association as the library does, without its copies."""
        association = Association(self.ae, MODE_ACCEPTOR)
        association.name = f"AcceptorThread@{visit.name}"  # by this name the library counts associations
        association._server = self.server
        acceptor = association.acceptor
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = self.server.contexts
        association.requestor.address_info = self.remote
        return association

    def _connect(self, association: Association, transfer: Transfer, visit: Visit) -> WaitingSocket:
        """Give the association our socket, and let its threads wait for something to do."""
        connection = WaitingSocket(association, self.request, transfer, visit, self.server.patience())
        association.set_socket(connection)
        association._reactor_checkpoint = pace = Pace()
        association.dul.to_user_queue = WakingQueue(pace.nudge)
        association.dul.to_provider_queue = WakingQueue(connection.alarm.ring)
        association.dimse.msg_queue = WakingQueue(pace.nudge)
        association.dul._idle_timer = Silence(association.network_timeout)
        association.dul._run_loop_delay = 0  # it waits on its socket instead
        association.dul.daemon = True
        return connection
