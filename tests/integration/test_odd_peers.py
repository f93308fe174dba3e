"""Peers that keep to the rules, or nearly, in a way that no library does."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, NuclearMedicineImageStorage, generate_uid
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.sop_class import Verification

from scintiflow.receiver.c_store import store_request
from scintiflow.receiver.status import STATUS
from tests.builders import scan
from tests.raw_peer import (
    ABORT,
    ABORTED,
    ACCEPTED,
    DATA,
    RELEASE_RQ,
    RELEASED,
    RawPeer,
    association_request,
    pdus,
)
from tests.raw_store import data_set, request
from tests.receiver import Receiver, running_receiver
from tests.waiting import wait_for

LAST = 2
FRAGMENT_AT = 12


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver as it comes."""
    with running_receiver(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


@pytest.fixture
def associate(receiver: Receiver) -> Iterator[Callable[..., RawPeer]]:
    """Return what connects a peer whose association is accepted; `longest` is the longest PDU that it takes."""
    with ExitStack() as peers:

        def associate(longest: int | None = 16382) -> RawPeer:
            peer = peers.enter_context(RawPeer(receiver.port))
            assert peer.associate(association_request(longest=longest)) == ACCEPTED
            return peer

        yield associate


@pytest.fixture
def image() -> Dataset:
    """A scan of a study of its own."""
    return scan(study_uid=generate_uid())


def store(image: Dataset, size: int = 16_000) -> list[bytes]:
    """Return the PDUs that store an image: the command, then the data set in pieces of `size`."""
    return list(pdus(request(image.SOPClassUID, image.SOPInstanceUID, data_set(image)), size=size))


def echo() -> bytes:
    """Return a C-ECHO."""
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 2, Verification
    return b"".join(pdus(primitive, context=3))


def status(peer: RawPeer) -> int:
    """Return the status of the answer that comes next, however it is cut."""
    command = b""
    while True:
        pdu = peer.hear()
        assert pdu[0] == DATA
        command += pdu[FRAGMENT_AT:]
        if pdu[FRAGMENT_AT - 1] & LAST:
            assert store_request(command) is None
            return int.from_bytes(command[command.index(b"\0\0\0\x09\2\0\0\0") + 8 :][:2], "little")


def test_everything_at_once_is_answered_in_order(
    receiver: Receiver, associate: Callable[..., RawPeer], image: Dataset
) -> None:
    """A peer that says all it has to say, its release too, before it listens gets every answer."""
    other, peer = scan(study_uid=generate_uid()), associate()
    peer.say(b"".join([*store(image), *store(other), RELEASE_RQ]))
    assert [status(peer), status(peer)] == [STATUS["stored"]] * 2
    assert peer.hear()[0] == RELEASED
    assert len(receiver.objects(image)) == len(receiver.objects(other)) == 1


def test_a_message_in_single_bytes_is_understood(associate: Callable[..., RawPeer], image: Dataset) -> None:
    """Wherever the network cuts commands, headers of PDUs and the release, they mean the same."""
    peer = associate()
    command, *parts = store(image)
    for piece in (*command, parts[0][:20], *parts[0][20:40], parts[0][40:], *parts[1][:13]):
        peer.say(bytes([piece]) if isinstance(piece, int) else piece)
    peer.say(parts[1][13:] + b"".join(parts[2:]))
    assert status(peer) == STATUS["stored"]
    for piece in echo():
        peer.say(bytes([piece]))
    assert status(peer) == STATUS["stored"]
    for piece in RELEASE_RQ:
        peer.say(bytes([piece]))
    assert peer.hear()[0] == RELEASED


@pytest.mark.parametrize("longest", [None, 0, 1, 7, (1 << 32) - 1])
def test_whatever_length_a_peer_takes_it_is_answered(
    associate: Callable[..., RawPeer], image: Dataset, longest: int | None
) -> None:
    """No PDU is longer than a peer takes, where that is possible; one that does not say takes any."""
    peer = associate(longest)
    peer.say(b"".join(store(image)))
    assert status(peer) == STATUS["stored"]
    peer.say(echo())
    assert status(peer) == STATUS["stored"]


def test_a_peer_that_has_said_all_may_hang_up_its_side(associate: Callable[..., RawPeer], image: Dataset) -> None:
    """Half a connection is enough to carry the answer."""
    peer = associate()
    peer.say(b"".join(store(image)))
    peer.socket.shutdown(socket.SHUT_WR)
    assert status(peer) == STATUS["stored"]


def test_a_scan_in_the_context_of_another_class_is_refused(
    receiver: Receiver, associate: Callable[..., RawPeer], image: Dataset
) -> None:
    """A C-STORE in the context of C-ECHO is answered with a failure, nothing is kept, and the next one is served."""
    peer = associate()
    for context, expected in ((3, "unreadable"), (1, "stored")):
        peer.say(b"".join(pdus(request(image.SOPClassUID, image.SOPInstanceUID, data_set(image)), context)))
        assert status(peer) == STATUS[expected]
        assert len(receiver.objects(image)) == (expected == "stored")


@pytest.mark.parametrize("sop_class", [Verification, NuclearMedicineImageStorage])
def test_nothing_is_taken_deflated(receiver: Receiver, sop_class: str) -> None:
    """A small deflated data set may unfold to any size, so no context of any kind has that transfer syntax."""
    entity = AE("PACS")
    entity.add_requested_context(sop_class, DeflatedExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", receiver.port, ae_title="SCINTIFLOW")
    assert not association.accepted_contexts
    association.abort()


def test_another_application_than_dicom_is_rejected(receiver: Receiver) -> None:
    """The rejection says that it is the application context that is not supported (DICOM PS3.8 table 9-21)."""
    with RawPeer(receiver.port) as peer:
        peer.say(association_request().replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2"))
        assert peer.hear() == b"\3\0\0\0\0\4\0\1\1\2"


def test_a_data_set_comes_in_the_context_of_its_command(
    receiver: Receiver, associate: Callable[..., RawPeer], image: Dataset
) -> None:
    """One in another context, which may have another transfer syntax, ends the association and is not kept."""
    peer = associate()
    command, *parts = store(image)
    peer.say(command + b"".join(part[:10] + b"\3" + part[11:] for part in parts))
    assert peer.until_closed()[0] == ABORTED
    assert receiver.objects(image) == []


def test_an_abort_behind_half_a_data_set_leaves_nothing(
    receiver: Receiver, associate: Callable[..., RawPeer], image: Dataset
) -> None:
    """The connection is closed without another word, and the half goes."""
    peer = associate()
    peer.say(b"".join(store(image)[:3]) + ABORT)
    assert peer.until_closed() == b""
    wait_for(lambda: not receiver.unfinished())
    assert receiver.objects(image) == []
