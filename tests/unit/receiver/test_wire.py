"""What we bend in pynetdicom, against its own requestor."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.events import Event
from redis import Redis

from scintiflow.config import Allowed
from scintiflow.dicom.c_store import c_store
from scintiflow.receiver.association import Reception, Visit
from scintiflow.receiver.backlog import Backlog
from scintiflow.receiver.headcount import Headcount
from scintiflow.receiver.listener import application_entity, presentation_contexts, waiting_room
from scintiflow.receiver.notifier import Notifier
from scintiflow.receiver.part import Part
from scintiflow.receiver.patience import Patience
from scintiflow.receiver.settings import Settings
from scintiflow.receiver.status import STATUS
from scintiflow.receiver.wire import Server
from scintiflow.store import Store
from tests.builders import scan


@dataclass
class LateVisit(Visit):
    """A visit whose acceptance is not over before its first object is coming, as on a busy machine."""

    coming: threading.Event = field(default_factory=threading.Event)

    def welcome(self, event: Event) -> None:
        """Hold up the thread that accepts until the other one receives."""
        super().welcome(event)
        assert self.coming.wait(10)

    def receive(self, *arguments: object) -> Part:
        """Let the accepting thread go on a moment after the data set has begun."""
        threading.Timer(0.2, self.coming.set).start()
        return super().receive(*arguments)  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of ours in this process, on a port of its own, where every visit is late."""
    store = Store(tmp_path)
    listening = socket.create_server(("127.0.0.1", 0))
    with store.incoming("listener") as incoming:
        redis = Redis(unix_socket_path="/nonexistent/redis.sock")
        backlog = Backlog(redis, most=1)
        notifier = Notifier(redis, "listener", backlog)
        reception = Reception(store, notifier, (Allowed(ae_title="PACS"),), incoming, 0, backlog)
        server = Server(
            application_entity(Settings()),
            listening,
            presentation_contexts(),
            lambda number: LateVisit(reception, f"l/{number}"),
            waiting_room(Settings()),
            Headcount(1, 1),
            lambda: Patience(1, 10),
            reception.sparing,
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.drain(5)


def test_an_object_that_comes_before_the_association_is_quite_accepted_is_answered(server: Server) -> None:
    """A quick sender on a busy machine gets its answer, not silence until its time-out."""
    image = scan()
    entity = AE("PACS")
    entity.dimse_timeout = 5
    entity.add_requested_context(image.SOPClassUID, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", server.server_address[1], ae_title="SCINTIFLOW")
    assert c_store(association, image).get("Status") == STATUS["stored"]
    association.release()
