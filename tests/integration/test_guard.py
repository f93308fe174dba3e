"""Hostile peers at the DICOM port: each is closed in time, holds nothing afterwards, and nobody else is disturbed.

The deadlines of these receivers are short; what they are set to otherwise is in the receiver's settings.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_ECHO, C_FIND, N_EVENT_REPORT
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.sop_class import Verification
from typer.testing import CliRunner

from scintiflow.cli import app
from scintiflow.dicom.c_store import c_store
from scintiflow.receiver.status import STATUS
from tests.builders import scan
from tests.raw_peer import (
    ABORT,
    ABORTED,
    ACCEPTED,
    DATA,
    REJECTED,
    RELEASE_RQ,
    RELEASED,
    RawPeer,
    association_request,
    p_data,
    pdus,
    with_titles,
)
from tests.raw_store import data_set, request
from tests.receiver import Receiver, running_receiver
from tests.waiting import wait_for

SHORT = {
    "SCINTIFLOW_RECEIVER_REQUEST_SECONDS": "1",
    "SCINTIFLOW_RECEIVER_STALL_SECONDS": "0.5",
    "SCINTIFLOW_RECEIVER_NETWORK_TIMEOUT": "1.5",
}
OTHER = "127.0.0.2"
MIB = 1 << 20
SPARE_THREADS = 2


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with short deadlines that has served before."""
    with running_receiver(tmp_path_factory.mktemp("receiver"), **SHORT) as receiver:
        wait_for(lambda: receiver.metric("scintiflow_receiver_listeners") == 2, seconds=60)
        wait_for(lambda: both_have_served(receiver), seconds=60)
        yield receiver


def both_have_served(receiver: Receiver) -> bool:
    """Let one of the listeners serve, and tell whether each has."""
    store(receiver, scan(study_uid=generate_uid()))
    return len(set(receiver.accepted())) == 2


@pytest.fixture
def peer(receiver: Receiver) -> Iterator[Callable[..., RawPeer]]:
    """Return what connects a peer that does as it is told, and afterwards see that it left nothing behind."""
    before = held(receiver)
    with ExitStack() as peers:

        def connect(host: str = "127.0.0.1", receive_buffer: int = 0) -> RawPeer:
            return peers.enter_context(RawPeer(receiver.port, host, receive_buffer))

        yield connect
        wait_for(lambda: nothing_held(receiver, before), seconds=15)  # before the peers close
        assert store(receiver, scan(study_uid=generate_uid())) == STATUS["stored"]


def held(receiver: Receiver) -> tuple[int, int]:
    """Return threads and descriptors of all listeners."""
    listeners = receiver.listeners()
    return sum(one.num_threads() for one in listeners), sum(one.num_fds() for one in listeners)


def nothing_held(receiver: Receiver, before: tuple[int, int]) -> bool:
    """Tell whether threads and descriptors are as they were, and no part of an object is left."""
    threads, descriptors = held(receiver)
    return threads <= before[0] + SPARE_THREADS and descriptors <= before[1] and not receiver.unfinished()


def store(receiver: Receiver, image: Dataset, host: str = "127.0.0.1") -> int:
    """Store one object as a genuine peer does; return the status."""
    entity = AE("PACS")
    entity.acse_timeout = entity.dimse_timeout = 30
    entity.add_requested_context(image.SOPClassUID, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", receiver.port, ae_title="SCINTIFLOW", bind_address=(host, 0))
    assert association.is_established
    status = c_store(association, image).Status
    association.release()
    return int(status)


def memory(receiver: Receiver) -> int:
    """Return the bytes of memory that all listeners hold."""
    return sum(one.memory_info().rss for one in receiver.listeners())


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\1", id="one byte"),
        pytest.param(bytes.fromhex("0100 ffffffff") + bytes(MIB), id="a length of 4 GiB"),
        pytest.param(b"\x63\0\0\0\0\4" + bytes(4), id="ten bytes of an unknown PDU type"),
        pytest.param(bytes(MIB), id="a MiB of zeros"),
        pytest.param(p_data((3, b"")), id="data before anything else"),
        pytest.param(RELEASE_RQ, id="a release of nothing"),
        pytest.param(association_request()[:-1], id="a request without its end"),
        pytest.param(association_request()[:6] + bytes(len(association_request()) - 6), id="a request of zeros"),
    ],
)
def test_who_does_not_ask_properly_is_closed(receiver: Receiver, peer: Callable[..., RawPeer], said: bytes) -> None:
    """In time, with at most one PDU for an answer, and without a thread or memory."""
    before, stranger = memory(receiver), peer()
    stranger.say(said)
    assert len(stranger.until_closed(5)) <= 10
    assert memory(receiver) < before + 8 * MIB


def test_a_dripping_request_is_cut(peer: Callable[..., RawPeer]) -> None:
    """The deadline of a request does not move with each byte."""
    assert peer().until_closed(5, drip=association_request()) == b""


@contextmanager
def crowd(receiver: Receiver, count: int, said: bytes) -> Iterator[list[RawPeer]]:
    """Hold so many connections open that have said `said`."""
    with ExitStack() as stack:
        yield [stack.enter_context(_said(RawPeer(receiver.port), said)) for _ in range(count)]


@contextmanager
def _said(peer: RawPeer, said: bytes) -> Iterator[RawPeer]:
    with peer:
        peer.say(said)
        yield peer


@pytest.mark.parametrize(
    ("count", "said"),
    [
        pytest.param(11, b"", id="11 silent"),
        pytest.param(311, b"", id="311 silent"),
        pytest.param(311, association_request()[:40], id="311 in the middle of a request"),
        pytest.param(100, b"\1\0" + (200_000).to_bytes(4, "big") + bytes(199_999), id="100 with a long request"),
    ],
)
def test_a_crowd_locks_nobody_out(receiver: Receiver, count: int, said: bytes) -> None:
    """Genuine peers are served while it stands there, from its address and from another; it costs under 1 MiB each."""
    memory_before, (threads, _) = memory(receiver), held(receiver)
    with crowd(receiver, count, said):
        assert held(receiver)[0] <= threads + SPARE_THREADS
        assert memory(receiver) < memory_before + count * MIB
        for host in ("127.0.0.1", OTHER) * 3:
            assert store(receiver, scan(study_uid=generate_uid()), host) == STATUS["stored"]


def command(image: Dataset) -> bytes:
    """Return the P-DATA-TF with the C-STORE command of an image, whose data set is to follow."""
    return next(pdus(request(image.SOPClassUID, image.SOPInstanceUID, data_set(image))))


def beginning(image: Dataset) -> bytes:
    """Return an image's command and the first part of its data set."""
    parts = pdus(request(image.SOPClassUID, image.SOPInstanceUID, data_set(image)))
    return next(parts) + next(parts)


def find() -> bytes:
    """Return a C-FIND with a query."""
    primitive = C_FIND()
    primitive.MessageID, primitive.Priority, primitive.AffectedSOPClassUID = 1, 2, scan().SOPClassUID
    primitive.Identifier = BytesIO(bytes(1000))
    return b"".join(pdus(primitive))


def report() -> bytes:
    """Return an N-EVENT-REPORT."""
    primitive = N_EVENT_REPORT()
    primitive.MessageID, primitive.EventTypeID = 1, 1
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = scan().SOPClassUID, "1.2.3"
    return b"".join(pdus(primitive))


def echo() -> bytes:
    """Return a C-ECHO."""
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 1, Verification
    return b"".join(pdus(primitive, context=3))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\4", id="one byte of a PDU"),
        pytest.param(b"\4\0\0\2\0\0" + bytes(99), id="a PDU without its end"),
        pytest.param(b"\4\0\xff\xff\xff\xff" + bytes(MIB), id="a length of 4 GiB"),
        pytest.param(b"\x63\0\0\0\0\4" + bytes(4), id="an unknown PDU type"),
        pytest.param(bytes(MIB), id="a MiB of zeros"),
        pytest.param(association_request(), id="a second request"),
        pytest.param(b"\5\0\0\0\0\0", id="a release without its body"),
        pytest.param(p_data((1, bytes(99))), id="a command without its end"),
        pytest.param(p_data((1, bytes(10_000))) * 100, id="a command of a MiB"),
        pytest.param(p_data((3, b"nonsense")), id="a command of nonsense"),
        pytest.param(p_data((2, b"data")), id="data without a command"),
        pytest.param(p_data(), id="a PDU of nothing"),
        pytest.param(p_data((1, b"")), id="a fragment that brings nothing"),
        pytest.param(b"\4\0\0\0\0\5\0\0\0\1\1", id="an empty fragment"),
        pytest.param(b"\4\0\0\0\0\6\0\0\0\0\1\1", id="a fragment of length 0"),
        pytest.param(b"\4\0\0\0\0\6\0\1\0\0\1\1", id="a fragment longer than its PDU"),
        pytest.param(command(scan()), id="a command whose data set never comes"),
        pytest.param(beginning(scan()), id="a data set without its end"),
        pytest.param(command(scan()) * 2, id="a command instead of a data set"),
        pytest.param(find(), id="a C-FIND"),
        pytest.param(report() * 500, id="500 N-EVENT-REPORTs"),
        pytest.param(echo() * 20_000, id="20,000 C-ECHOs without waiting for an answer"),
    ],
)
def test_nonsense_and_silence_end_an_association(receiver: Receiver, peer: Callable[..., RawPeer], said: bytes) -> None:
    """In time, with at most one A-ABORT, and nothing gathers in memory."""
    before, stranger = memory(receiver), peer()
    assert stranger.associate() == ACCEPTED
    stranger.say(said)
    aborts = [pdu for pdu in split(stranger.until_closed(10)) if pdu[0] == ABORTED]
    assert len(aborts) <= 1
    assert memory(receiver) < before + 8 * MIB


def split(heard: bytes) -> Iterator[bytes]:
    """Return the whole PDUs in what was heard."""
    while len(heard) >= 6 and len(heard) >= (end := 6 + int.from_bytes(heard[2:6], "big")):
        yield heard[:end]
        heard = heard[end:]


@pytest.mark.parametrize("begun", [b"", command(scan())[:30], command(scan()), beginning(scan())])
def test_a_drip_in_an_association_is_cut(peer: Callable[..., RawPeer], begun: bytes) -> None:
    """Between messages, in a command and in a data set: a byte now and then does not keep an association."""
    stranger = peer()
    assert stranger.associate() == ACCEPTED
    stranger.say(begun)
    stranger.until_closed(6, drip=p_data((1, bytes(999))))


@pytest.mark.parametrize("last", [b"", bytes(MIB), echo() * 100])
@pytest.mark.parametrize("goodbye", [RELEASE_RQ, ABORT])
def test_who_never_closes_is_closed(peer: Callable[..., RawPeer], goodbye: bytes, last: bytes) -> None:
    """After a release or an abort a peer that stays, or goes on talking, holds neither thread nor descriptor."""
    stranger = peer()
    assert stranger.associate() == ACCEPTED
    stranger.say(goodbye + last)
    heard = [pdu[0] for pdu in split(stranger.until_closed(5))]
    assert heard in ([], [RELEASED], [ABORTED])


def requests_without_end() -> bytes:
    """Return so many C-STOREs that their answers fill every buffer between us and a peer that does not read."""
    image = scan()
    return b"".join(pdus(request(image.SOPClassUID, image.SOPInstanceUID, b""))) * 50_000


def test_who_does_not_read_is_cut(peer: Callable[..., RawPeer]) -> None:
    """A peer that takes no answers is given up when they fill the kernel's buffers."""
    stranger = peer(receive_buffer=4096)
    assert stranger.associate() == ACCEPTED
    stranger.socket.settimeout(60)  # for all of it
    with pytest.raises(ConnectionError):
        stranger.socket.sendall(requests_without_end())


def test_who_reads_a_little_now_and_then_is_cut(peer: Callable[..., RawPeer]) -> None:
    """How long answers wait for a peer that falls ever further behind counts over all of them."""
    stranger = peer(receive_buffer=4096)
    assert stranger.associate() == ACCEPTED
    asking = threading.Thread(target=stranger.say, args=(requests_without_end(),))
    asking.start()
    deadline, pace = time.monotonic() + 20, threading.Event()  # to answer all would take twice as long
    while stranger.still_open(4096):
        assert time.monotonic() < deadline
        pace.wait(0.02)
    asking.join()


def test_strangers_hold_nothing(receiver: Receiver, peer: Callable[..., RawPeer]) -> None:
    """Who is not in the allowlist gets its rejection and is closed, however many there are."""
    strangers = [peer() for _ in range(60)]
    for stranger in strangers:
        assert stranger.associate(association_request(calling="STRANGER")) == REJECTED
    assert {stranger.until_closed(5) for stranger in strangers} == {b""}
    assert receiver.log.read_text().count("rejected an unknown sender") < 10


@pytest.mark.parametrize("title", [b"", b"\0" * 16, b"P\nACS", b"PA\\CS", b"PACS\xff", b"\x1b[31mPACS"])
def test_illegal_titles_are_rejected(peer: Callable[..., RawPeer], title: bytes) -> None:
    """An AE title with control characters, or none at all, is an unknown one."""
    assert peer().associate(with_titles(title)) == REJECTED


def negotiations() -> Iterator[object]:
    """Return user information that few peers send."""
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 65535
    yield pytest.param(window, id="asynchronous operations")
    for kind, primary in ((1, b"somebody"), (2, b"somebody"), (3, bytes(30_000)), (5, b"token")):
        identity = UserIdentityNegotiation()
        identity.user_identity_type, identity.primary_field = kind, primary
        identity.secondary_field = b"secret" if kind == 2 else b""
        identity.positive_response_requested = True
        yield pytest.param(identity, id=f"user identity {kind}")
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid, extended.service_class_application_information = "1.2.3", bytes(30_000)
    yield pytest.param(extended, id="SOP class extended")


@pytest.mark.parametrize("item", negotiations())
def test_what_a_peer_may_negotiate_breaks_nothing(peer: Callable[..., RawPeer], item: object) -> None:
    """It is accepted, and C-ECHO answered."""
    polite = peer()
    assert polite.associate(association_request("PACS", "SCINTIFLOW", item)) == ACCEPTED
    polite.say(echo())
    assert polite.hear()[0] == DATA
    polite.say(RELEASE_RQ)
    assert polite.hear()[0] == RELEASED


def test_a_polyglot_is_sent_and_stored_without_its_preamble(receiver: Receiver, tmp_path: Path) -> None:
    """A file that is a program too (CVE-2019-11687) loses its preamble on the way in."""
    image = scan(study_uid=generate_uid())
    image.preamble = (b"MZ" + b"polyglot" * 16)[:128]
    image.save_as(tmp_path / "polyglot.dcm", enforce_file_format=True)
    to = f"SCINTIFLOW@127.0.0.1:{receiver.port}"
    sent = CliRunner().invoke(app, ["send", str(tmp_path / "polyglot.dcm"), "--from", "PACS", "--to", to])
    assert sent.exit_code == 0
    (stored,) = receiver.objects(image)
    assert stored.read_bytes()[:132] == bytes(128) + b"DICM"
    assert b"polyglot" not in stored.read_bytes()


def test_nobody_takes_all_places(tmp_path: Path) -> None:
    """Beyond its share an address is put off with 2,3,1, another is served, and places come back when left."""
    limits = {"LISTENERS": "1", "MAXIMUM_ASSOCIATIONS": "3", "MAXIMUM_ASSOCIATIONS_PER_ADDRESS": "2"}
    settings = {f"SCINTIFLOW_RECEIVER_{name}": value for name, value in limits.items()}
    with running_receiver(tmp_path, **settings) as receiver, ExitStack() as stack:
        greedy = [stack.enter_context(RawPeer(receiver.port)) for _ in range(3)]
        assert [one.associate() for one in greedy[:2]] == [ACCEPTED, ACCEPTED]
        greedy[2].say(association_request())
        assert greedy[2].hear() == b"\3\0\0\0\0\4\0\2\3\1"
        assert store(receiver, scan(study_uid=generate_uid()), OTHER) == STATUS["stored"]
        greedy[0].socket.close()
        wait_for(lambda: receiver.metric("scintiflow_receiver_associations_open") == 1)
        assert store(receiver, scan(study_uid=generate_uid())) == STATUS["stored"]


def test_few_descriptors_are_enough(tmp_path: Path) -> None:
    """Where the kernel gives few descriptors, a crowd takes them all and genuine peers are served all the same."""
    few = ("bash", "-c", 'ulimit -n 80; exec "$@"', "bash")
    with running_receiver(tmp_path, *few) as receiver, crowd(receiver, 311, b""):
        for _ in range(5):
            assert store(receiver, scan(study_uid=generate_uid())) == STATUS["stored"]
