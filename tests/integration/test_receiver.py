"""The DICOM port as a PACS sees it: real associations, real processes, real kills."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path

import psutil
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from redis import Redis

from scintiflow.contracts.v1.study_pb2 import Arrival
from scintiflow.dicom.c_store import c_store
from scintiflow.dicom.identity import study_folder
from scintiflow.receiver.listener import RETIRED, TRANSFER_SYNTAXES
from scintiflow.receiver.status import STATUS
from scintiflow.stream import Stream
from tests.builders import file_bytes, scan
from tests.clocks import HOUR, SetClock
from tests.raw_store import data_set, request, send_bytes
from tests.receiver import Receiver, running_receiver
from tests.stack import send
from tests.tracing import Call, calls
from tests.waiting import wait_for

UNREADABLE = 'scintiflow_receiver_objects_total{outcome="unreadable"}'


Start = Callable[..., Receiver]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver for tests that leave it as it was; each has a study of its own."""
    with running_receiver(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


@pytest.fixture
def image() -> Dataset:
    """A scan of a study of its own."""
    return scan(study_uid=generate_uid())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts the receiver of this test; `settings` go to its environment."""
    with ExitStack() as stack:

        def start(*command: str, **settings: str) -> Receiver:
            return stack.enter_context(running_receiver(tmp_path, *command, **settings))

        yield start


def call(receiver: Receiver, *, calling: str = "PACS", called: str = "SCINTIFLOW") -> Association:
    """Ask for an association that may store scans and screenshots."""
    entity = AE(calling)
    for sop_class in (NuclearMedicineImageStorage, SecondaryCaptureImageStorage):
        entity.add_requested_context(sop_class, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", receiver.port, ae_title=called)
    if association.is_aborted:  # so the library takes a rejection that is there before it looks for its connection
        association = entity.associate("127.0.0.1", receiver.port, ae_title=called)
    return association


def serves(receiver: Receiver) -> bool:
    """Tell whether a new association is accepted."""
    association = call(receiver)
    accepted = bool(association.is_established)
    association.release()
    return accepted


def test_bytes_are_kept_as_they_came(receiver: Receiver, image: Dataset) -> None:
    """The stored file holds the data set byte for byte, behind a preamble of zeros, under its study and digest."""
    association = call(receiver)
    assert send_bytes(association, image.SOPClassUID, image.SOPInstanceUID, data_set(image)) == STATUS["stored"]
    association.release()
    (stored,) = receiver.objects(image)
    assert stored.parent.parent == receiver.store.study(study_folder(image.StudyInstanceUID))
    assert stored.read_bytes().endswith(data_set(image))
    assert stored.read_bytes().startswith(bytes(128) + b"DICM")
    assert dcmread(stored) == image
    wait_for(lambda: not receiver.unfinished())


def test_dcmtk_can_echo_and_store(
    receiver: Receiver, image: Dataset, tmp_path: Path, peer: Callable[[str], str]
) -> None:
    """DCMTK's programs, which know nothing of us, are served."""
    (tmp_path / "scan.dcm").write_bytes(file_bytes(image))
    here = ["-aet", "PACS", "-aec", "SCINTIFLOW", "127.0.0.1", str(receiver.port)]
    for program, files in (("echoscu", []), ("storescu", ["scan.dcm"]), ("dcmsend", ["scan.dcm"])):
        subprocess.run([peer(f"/usr/bin/{program}"), *here, *files], check=True, cwd=tmp_path, timeout=120)
    assert len(receiver.objects(image)) == 1


def test_every_standard_storage_class_is_accepted(receiver: Receiver) -> None:
    """One refused context fails a PACS's whole forward job, so none is refused, in any transfer syntax we keep.

    Old archives still send what has been retired, scans among it.
    """
    classes = [*(context.abstract_syntax for context in AllStoragePresentationContexts), *RETIRED]
    for some in (classes[:128], classes[-128:]):
        for syntax in (TRANSFER_SYNTAXES[0], TRANSFER_SYNTAXES[-1]):
            entity = AE("PACS")
            for sop_class in some:
                entity.add_requested_context(sop_class, syntax)
            association = entity.associate("127.0.0.1", receiver.port, ae_title="SCINTIFLOW")
            assert association.rejected_contexts == []
            association.release()


def test_a_stranger_is_rejected_with_the_lines_to_add(receiver: Receiver) -> None:
    """An unknown calling AE title gets 1,1,3, and the log says which lines let it in."""
    association = call(receiver, calling="STRANGER")
    assert association.is_rejected
    reply = association.acceptor.primitive
    assert (reply.result, reply.result_source, reply.diagnostic) == (1, 1, 3)
    for line in ("[[allow]]", 'ae_title = "STRANGER"', 'host = "127.0.0.1"'):
        assert receiver.said(line)


def test_a_wrong_called_title_is_rejected(receiver: Receiver) -> None:
    """Who means somebody else gets 1,1,7."""
    association = call(receiver, called="SOMEBODY")
    reply = association.acceptor.primitive
    assert (reply.result, reply.result_source, reply.diagnostic) == (1, 1, 7)


def test_without_an_allowlist_nobody_is_let_in(start: Start) -> None:
    """With an empty configuration it starts, says what to do, and rejects."""
    receiver = start(allow="")
    assert receiver.said("nobody may send yet")
    assert call(receiver).is_rejected


def test_faults_are_refused_and_nothing_is_kept(receiver: Receiver, image: Dataset) -> None:
    """Each fault gets its status, leaves no byte behind, and the association goes on to the next good object."""
    ours, whole, before = (image.SOPClassUID, image.SOPInstanceUID), data_set(image), receiver.metric(UNREADABLE)
    association = call(receiver)
    assert send_bytes(association, SecondaryCaptureImageStorage, ours[1], whole) == STATUS["unreadable"]
    assert send_bytes(association, ours[0], "1.2.3", whole) == STATUS["mismatch"]
    assert send_bytes(association, ours[0], "../../../../tmp/x", whole) == STATUS["unreadable"]
    for data in (whole[:-2], b"%PDF-1.7" * 99, b""):
        assert send_bytes(association, *ours, data) == STATUS["unreadable"]
    assert receiver.objects(image) == []
    assert send_bytes(association, *ours, whole) == STATUS["stored"]
    association.release()
    wait_for(lambda: not receiver.unfinished())
    assert receiver.metric(UNREADABLE) == before + 5
    assert not receiver.said(str(image.PatientName))


def test_a_flood_of_faults_is_few_lines_of_the_log(start: Start, image: Dataset) -> None:
    """An allowed sender that is broken is told of at once, then by the number of its faults; nothing is left out."""
    receiver = start(SCINTIFLOW_RECEIVER_LISTENERS="1")
    association = call(receiver)
    for _ in range(100):
        send_bytes(association, image.SOPClassUID, image.SOPInstanceUID, b"%PDF-1.7" * 99)
    association.release()
    assert receiver.said("refused an object")

    def told() -> list[int]:
        return [
            int(times or 1) for times in re.findall(r"refused an object(?:.*times=(\d+))?", receiver.log.read_text())
        ]

    wait_for(lambda: sum(told()) == 100, seconds=60)
    assert len(told()) < 20


def test_the_same_again_and_the_same_name_with_other_bytes(receiver: Receiver, image: Dataset) -> None:
    """The same bytes again are one object; other bytes under the same UID are kept beside the first."""
    assert send(receiver.port, [image, image]) == [STATUS["stored"], STATUS["again"]]
    assert len(receiver.objects(image)) == 1
    image.PatientComments = "changed"
    assert send(receiver.port, [image]) == [STATUS["stored"]]
    assert len(receiver.objects(image)) == 2


def test_an_object_on_a_context_that_was_not_accepted_ends_the_association(receiver: Receiver, image: Dataset) -> None:
    """What cannot be answered is not kept either."""
    association = call(receiver)
    association.dimse.send_msg(request(image.SOPClassUID, image.SOPInstanceUID, data_set(image)), 99)
    wait_for(lambda: association.is_aborted)
    wait_for(lambda: not receiver.unfinished())
    assert receiver.objects(image) == []


def test_a_false_length_takes_no_memory(receiver: Receiver) -> None:
    """A PDU that claims 4 GiB ends its connection at once."""
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as peer:
        peer.sendall(bytes.fromhex("0100 ffffffff"))
        assert peer.recv(1) == b""
    assert all(listener.memory_info().rss < 1 << 29 for listener in receiver.listeners())


def test_an_aborted_object_leaves_nothing(receiver: Receiver, image: Dataset) -> None:
    """When a sender goes away in the middle of an object, its bytes go too."""
    association = call(receiver)
    message = C_STORE_RQ()
    message.primitive_to_message(request(image.SOPClassUID, image.SOPInstanceUID, data_set(image)))
    fragments = message.encode_msg(association.accepted_contexts[0].context_id, 16_000)
    for fragment in [next(fragments), next(fragments)]:
        association.dul.send_pdu(fragment)
    wait_for(receiver.unfinished)
    association.abort()
    wait_for(lambda: not receiver.unfinished())
    assert receiver.objects(image) == []


def test_a_full_disk_puts_objects_off(start: Start, image: Dataset) -> None:
    """Below the watermark an object is answered A700 and not kept; the sender may still ask whether we are there."""
    receiver = start(SCINTIFLOW_RECEIVER_MINIMUM_FREE_BYTES=str(1 << 60))
    assert send(receiver.port, [image]) == [STATUS["no_room"]]
    assert receiver.objects(image) == []


def test_too_many_associations_are_rejected(start: Start) -> None:
    """Beyond the maximum a sender is rejected for the moment, and let in when another has gone."""
    receiver = start(SCINTIFLOW_RECEIVER_LISTENERS="1", SCINTIFLOW_RECEIVER_MAXIMUM_ASSOCIATIONS="1")
    first = call(receiver)
    assert call(receiver).is_rejected
    first.release()
    wait_for(lambda: serves(receiver))


def test_associations_spread_over_the_listeners(receiver: Receiver) -> None:
    """Whoever serves fewer associations takes the next one: of eight that stay, each of two listeners serves some."""
    wait_for(lambda: receiver.metric("scintiflow_receiver_listeners") == 2)
    accepted = len(receiver.accepted())
    associations = [call(receiver) for _ in range(8)]
    serving = wait_for(lambda: len(found := receiver.accepted()[accepted:]) == len(associations) and found)
    for association in associations:
        association.release()
    assert max(serving.count(listener) for listener in set(serving)) <= 6


def test_a_clock_that_is_set_cuts_no_association(start: Start, image: Dataset, tmp_path: Path) -> None:
    """Who was silent for a moment is not taken for one that was silent for an hour."""
    clock = SetClock(tmp_path)
    receiver = start(**clock.environment)
    association = call(receiver)
    clock.set_ahead(HOUR)
    time.sleep(0.5)  # it would be cut in this time
    assert c_store(association, image).Status == STATUS["stored"]
    association.release()


def test_a_stop_lets_associations_finish(start: Start, image: Dataset) -> None:
    """After SIGTERM an open association goes on storing, nobody new is let in, and then the receiver ends well."""
    receiver = start()
    association = call(receiver)
    receiver.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not serves(receiver))
    assert c_store(association, image).Status == STATUS["stored"]
    association.release()
    assert receiver.process.wait(timeout=15) == 0, "the drain would last longer"
    assert len(receiver.objects(image)) == 1


def test_a_stop_does_not_wait_for_ever(start: Start) -> None:
    """An association that never ends is cut when the drain is over."""
    receiver = start(SCINTIFLOW_RECEIVER_DRAIN_SECONDS="0.5")
    association = call(receiver)
    receiver.process.send_signal(signal.SIGTERM)
    assert receiver.process.wait(timeout=10) == 0
    wait_for(lambda: not association.is_established)


def test_a_killed_listener_is_replaced(start: Start, image: Dataset) -> None:
    """kill -9 of one listener takes no stored object with it, and others serve while a new one starts."""
    receiver = start()
    association = call(receiver)
    assert c_store(association, image).Status == STATUS["stored"]
    (serving,) = (
        one for one in receiver.listeners() if "ESTABLISHED" in {each.status for each in one.net_connections()}
    )
    serving.kill()
    assert len(receiver.objects(image)) == 1
    assert send(receiver.port, [image]) == [STATUS["again"]]
    wait_for(lambda: receiver.metric("scintiflow_receiver_listeners") == 2, seconds=30)
    wait_for(lambda: receiver.metric("scintiflow_receiver_associations_open") == 0)


def test_listeners_do_not_outlive_the_receiver(start: Start, image: Dataset) -> None:
    """When the parent is killed, its listeners finish what is open and go, so that the port is free again."""
    receiver = start()
    association, listeners = call(receiver), receiver.listeners()
    receiver.process.kill()
    assert c_store(association, image).Status == STATUS["stored"]
    association.release()
    assert psutil.wait_procs(listeners, timeout=10)[1] == []


def test_the_keeper_is_told(start: Start, image: Dataset, redis: Redis) -> None:
    """Each stored object and each ended association is published, and the listener beats while it lives."""
    receiver = start(SCINTIFLOW_REDIS_URL=f"unix://{redis.connection_pool.connection_kwargs['path']}")
    send(receiver.port, [image])
    events = Stream(redis, "events")
    wait_for(lambda: events.size() == 2)
    stored, ended = (Arrival.FromString(delivery.body) for delivery in events.take("test", 10))
    assert stored.stored.study == study_folder(image.StudyInstanceUID)
    assert receiver.objects(image)[0].name == f"{stored.stored.digest}.dcm"
    assert list(ended.ended.studies) == [stored.stored.study]
    assert ended.ended.association == stored.stored.association
    assert stored.stored.caller == ended.ended.caller == "PACS"
    assert redis.exists(f"scintiflow:listener:{stored.stored.association.partition('/')[0]}")


def test_success_comes_after_fsync(start: Start, image: Dataset, tmp_path: Path, peer: Callable[[str], str]) -> None:
    """The kernel has confirmed the file before it gets its name, and name and folders before a byte of the answer."""
    receiver, trace = start(*traced(peer, tmp_path)), tmp_path / "trace"
    assert send(receiver.port, [image]) == [STATUS["stored"]]
    assert_confirmed_before_answered(receiver, image, trace)


def test_each_of_many_successes_comes_after_fsync(start: Start, tmp_path: Path, peer: Callable[[str], str]) -> None:
    """So it is for every object while four associations store at once and share the syncs of a slow disk."""
    slow = ("-e", "inject=fsync:delay_exit=50000")
    receiver, trace = start(*traced(peer, tmp_path), *slow, SCINTIFLOW_RECEIVER_LISTENERS="1"), tmp_path / "trace"
    each = [[scan(study_uid=generate_uid()) for _ in range(4)] for _ in range(4)]
    with ThreadPoolExecutor(len(each)) as pool:
        statuses = list(pool.map(partial(send, receiver.port), each))
    assert statuses == [[STATUS["stored"]] * 4] * 4
    for image in chain.from_iterable(each):
        assert_confirmed_before_answered(receiver, image, trace)


def traced(peer: Callable[[str], str], folder: Path) -> tuple[str, ...]:
    """Return the command that lets its own command run and writes down what becomes durable, and what is answered."""
    calls = "trace=fsync,rename,mkdir,sendto"
    return peer("/usr/bin/strace"), "-f", "-qq", "-y", "-e", calls, "-o", str(folder / "trace")


def assert_confirmed_before_answered(receiver: Receiver, image: Dataset, trace: Path) -> None:
    """Fail unless every sync that one object needs had succeeded before the thread that stored it sent a byte."""
    study, (path,) = receiver.store.study(study_folder(image.StudyInstanceUID)), receiver.objects(image)

    def named_and_answered() -> tuple[Call, Call] | None:
        seen = calls(trace)
        named = next((call for call in seen if "rename(" in call.text and path.name in call.text), None)
        later = [call for call in seen if named and call.thread == named.thread and call.begun > named.over]
        answered = next((call for call in later if "sendto(" in call.text), None)
        return (named, answered) if named and answered else None

    named, answered = wait_for(named_and_answered)
    before = [call for call in calls(trace) if call.succeeded and call.over < answered.begun]

    def synced(path: Path, after: int = 0) -> int:
        """Return where the first sync was over that began after a line."""
        found = [call for call in before if "fsync(" in call.text and f"{path}>" in call.text and call.begun > after]
        assert found, f"{path} was not synced before the answer"
        return found[0].over

    def made(folder: Path) -> int:
        return max(call.over for call in before if "mkdir(" in call.text and f'{folder}"' in call.text)

    assert synced(Path(named.text.split('"')[1])) < named.begun
    synced(path.parent, after=named.over)
    for folder in (path.parent, study, study.parent):
        synced(folder.parent, after=made(folder))
