"""A disk that is full, read-only, failing or slow: work is put off, nothing is lost, and nobody need help."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.association import Association

from scintiflow.dicom.c_store import c_store
from scintiflow.receiver.status import STATUS
from tests.builders import scan
from tests.disks import Disk, small_disk
from tests.pacs import Pacs
from tests.receiver import Receiver, running_receiver
from tests.redis_server import redis_server
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.tracing import injected
from tests.waiting import wait_for

FAULTS: dict[str, Callable[[Disk], None]] = {
    "full": Disk.fill,
    "without inodes": Disk.take_inodes,
    "read-only": Disk.refuse_writes,
}
SYNCS = "fsync,fdatasync,syncfs"
OUT_OF_RESOURCES = 0xA700


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk of 8 MiB."""
    with small_disk(tmp_path_factory.mktemp("disk") / "data", "8m") as disk:
        yield disk


@pytest.fixture(scope="module")
def receiver(disk: Disk) -> Iterator[Receiver]:
    """A receiver of one process that trusts its disk to the last byte."""
    settings = {"SCINTIFLOW_RECEIVER_MINIMUM_FREE_BYTES": "0", "SCINTIFLOW_RECEIVER_LISTENERS": "1"}
    with running_receiver(disk.path.parent, *disk.inside, seen=disk.seen, **settings) as receiver:
        yield receiver


@pytest.fixture
def image() -> Dataset:
    """A scan of a study of its own."""
    return scan(study_uid=generate_uid())


@contextmanager
def associated(receiver: Receiver, image: Dataset) -> Iterator[Association]:
    """Keep one association open, over which `image` may be sent."""
    entity = AE("PACS")
    entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", receiver.port, ae_title="SCINTIFLOW")
    assert association.is_established
    yield association
    association.release()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_disk_does_not_take_is_put_off(receiver: Receiver, disk: Disk, image: Dataset, fault: str) -> None:
    """A700 and not a byte kept; over the same association the object is taken as soon as the disk is well."""
    with associated(receiver, image) as association:
        FAULTS[fault](disk)
        try:
            assert c_store(association, image).Status == OUT_OF_RESOURCES
            assert (receiver.objects(image), receiver.unfinished()) == ([], [])
        finally:
            disk.heal()
        assert c_store(association, image).Status == STATUS["stored"]
    assert len(receiver.objects(image)) == 1


def test_the_watermark_refuses_and_recovers(disk: Disk, image: Dataset) -> None:
    """Below `minimum_free_bytes` objects are put off although the disk would take them, until room is made."""
    settings = {"SCINTIFLOW_RECEIVER_MINIMUM_FREE_BYTES": str(4 << 20)}
    with running_receiver(disk.path.parent, *disk.inside, seen=disk.seen, **settings) as receiver:
        (disk.seen / "ballast").write_bytes(bytes(5 << 20))
        assert send(receiver.port, [image]) == [OUT_OF_RESOURCES]
        disk.heal()
        assert send(receiver.port, [image]) == [STATUS["stored"]]


def test_a_failing_fsync_is_no_success(receiver: Receiver, image: Dataset, peer: Callable[[str], str]) -> None:
    """An object that the disk did not confirm is answered A700, and stored when it is sent again to a well disk."""
    listeners = [listener.pid for listener in receiver.listeners()]
    with injected(peer("/usr/bin/strace"), listeners, f"{SYNCS}:error=EIO"):
        assert send(receiver.port, [image]) == [OUT_OF_RESOURCES]
        assert receiver.objects(image) == []
    assert send(receiver.port, [image]) == [STATUS["stored"]]


def test_a_slow_fsync_is_waited_for_and_delays_no_other(
    receiver: Receiver, image: Dataset, peer: Callable[[str], str]
) -> None:
    """With a disk that takes 2 s to confirm, the success comes after that, and a C-ECHO beside it does not wait."""
    listeners = [listener.pid for listener in receiver.listeners()]
    with (
        injected(peer("/usr/bin/strace"), listeners, f"{SYNCS}:delay_enter=2000000"),
        associated(receiver, image) as storing,
        associated(receiver, image) as echoing,
        ThreadPoolExecutor(1) as pool,
    ):
        began = time.monotonic()
        answer = pool.submit(c_store, storing, image)
        wait_for(receiver.unfinished)
        assert echoing.send_c_echo().Status == STATUS["stored"]
        assert not answer.done()
        assert answer.result(30).Status == STATUS["stored"]
        assert time.monotonic() - began >= 2


def test_a_peer_that_waits_for_our_disk_is_not_silent(
    tmp_path: Path, image: Dataset, peer: Callable[[str], str]
) -> None:
    """A disk that takes longer than a peer may be silent costs the peer its time, not its association."""
    settings = {"SCINTIFLOW_RECEIVER_NETWORK_TIMEOUT": "1", "SCINTIFLOW_RECEIVER_LISTENERS": "1"}
    with running_receiver(tmp_path, **settings) as receiver:
        (listener,) = receiver.listeners()
        with (
            injected(peer("/usr/bin/strace"), [listener.pid], f"{SYNCS}:delay_enter=2000000"),
            associated(receiver, image) as association,
        ):
            assert c_store(association, image).Status == STATUS["stored"]


def test_a_full_disk_for_temporary_files_keeps_no_listener_down(tmp_path: Path, image: Dataset) -> None:
    """Where only /tmp is full, a listener that died is replaced, and objects are stored as ever."""
    with (
        small_disk(tmp_path / "temporary", "1m") as disk,
        running_receiver(tmp_path, *disk.inside, TMPDIR=str(disk.path), SCINTIFLOW_RECEIVER_LISTENERS="1") as receiver,
    ):
        disk.fill()
        (listener,) = receiver.listeners()
        listener.kill()
        listener.wait()
        wait_for(lambda: not receiver.ready())
        wait_for(receiver.ready, seconds=30)
        assert send(receiver.port, [image]) == [STATUS["stored"]]


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    """A PACS; each test says what it answers."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pacs: Pacs) -> Iterator[tuple[Stack, Disk]]:
    """An installation on a small disk; its Redis has another one, so that every process meets the disk itself."""
    folder = tmp_path_factory.mktemp("line")
    settings = {
        "SCINTIFLOW_RECEIVER_MINIMUM_FREE_BYTES": "0",
        "SCINTIFLOW_SENDER_RETRY_FIRST_SECONDS": "0.5",
        "SCINTIFLOW_SENDER_RETRY_CAP_SECONDS": "1",
    }
    with (
        redis_server(tmp_path_factory.mktemp("redis")) as redis,
        small_disk(folder / "data", "96m") as disk,
        running_stack(
            folder,
            CONFIGURATION.format(port=pacs.port),
            *disk.inside,
            seen=disk.seen,
            SCINTIFLOW_REDIS_URL=redis,
            **settings,
        ) as stack,
    ):
        yield stack, disk


def _waits_for_the_disk(line: Stack, waiting: str, since: int) -> bool:
    """It has said so, behind the first `since` characters of the log."""
    return re.search(f"{waiting}.*The disk under DATA failed", line.log.read_text()[since:]) is not None


@pytest.mark.parametrize("fault", FAULTS)
def test_every_process_puts_its_work_off_and_finishes_it(stack: tuple[Stack, Disk], pacs: Pacs, fault: str) -> None:
    """Keeper, router and sender wait for the disk; nothing is parked or sent twice, and each study is delivered."""
    line, disk = stack
    to_send, to_read, to_gather, to_receive = studies = copies(EXAMPLES, 4)
    held = {name: line.running(f"scintiflow.{name}")[0] for name in ("keeper", "router")}
    pacs.answer, before = lambda uid: OUT_OF_RESOURCES, len(pacs.received)
    for study, state, holder in ((to_send, "delivering", "router"), (to_read, "queued", "keeper")):
        assert send(line.dicom_port, [study]) == [STATUS["stored"]]
        wait_for(lambda study=study, state=state: line.record(study.StudyInstanceUID).outcome.state == state, 20)
        held[holder].suspend()
    assert send(line.dicom_port, [to_gather]) == [STATUS["stored"]]
    said = len(line.log.read_text())
    FAULTS[fault](disk)
    try:
        assert send(line.dicom_port, [to_receive]) == [OUT_OF_RESOURCES]
        for holder in held.values():
            holder.resume()
        for waiting in ("put a study off", "queue=ready", "queue=results:pacs"):
            wait_for(partial(_waits_for_the_disk, line, waiting, said), 30)
        pacs.answer = lambda uid: STATUS["stored"]  # not before: something was on its way when the disk failed
        wait_for(partial(_waits_for_the_disk, line, "queue=results:pacs", len(line.log.read_text())), 30)
        assert len(pacs.received) == before, "what cannot be marked as sent is not sent"
    finally:
        disk.heal()
    wait_for(lambda: send(line.dicom_port, [to_receive]) == [STATUS["stored"]])
    assert [line.outcome(study.StudyInstanceUID).state for study in studies] == ["delivered"] * len(studies)
    assert "parked" not in [event["event"] for study in studies for event in line.record(study.StudyInstanceUID).events]
    assert len(pacs.received) == len(pacs.objects)


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_the_embedded_redis_comes_back_with_the_disk(tmp_path: Path, pacs: Pacs, fault: str) -> None:
    """A Redis that cannot write its file dies, and is up again when it can; what was acknowledged is delivered."""
    pacs.answer, studies = lambda uid: OUT_OF_RESOURCES, copies(EXAMPLES, 2)
    settings = {"SCINTIFLOW_RECEIVER_MINIMUM_FREE_BYTES": "0", "SCINTIFLOW_SENDER_RETRY_FIRST_SECONDS": "1"}
    with (
        small_disk(tmp_path / "data", "96m") as disk,
        running_stack(
            tmp_path, CONFIGURATION.format(port=pacs.port), *disk.inside, seen=disk.seen, **settings
        ) as stack,
    ):
        assert send(stack.dicom_port, studies) == [STATUS["stored"]] * 2
        wait_for(lambda: stack.record(studies[0].StudyInstanceUID).outcome.state == "delivering", 20)
        FAULTS[fault](disk)
        for redis in stack.running("redis-server"):  # on a full disk it ends by itself, maybe it already has
            with suppress(psutil.NoSuchProcess):
                redis.kill()
        wait_for(lambda: "redis ended (1); it starts again in 2 s" in stack.log.read_text(), 30)
        disk.heal()
        pacs.answer = lambda uid: STATUS["stored"]
        assert [stack.outcome(study.StudyInstanceUID).state for study in studies] == ["delivered"] * 2
