"""A PACS that fails in every way but one, as the sender sees it: results arrive once, and late at worst."""

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE
from redis import Redis

from scintiflow.errors import Failed, Refused, Unavailable
from scintiflow.records import read_record, result_path
from scintiflow.store import Store
from scintiflow.stream import Stream
from tests.deliveries import attempt, delivery_of, folder_of, reported, sender_to
from tests.fault_proxy import FaultProxy
from tests.late import late_for_the_answer, late_for_the_loss
from tests.pacs import GARBLED, SUCCESS, Pacs, hanging_up
from tests.raw_peer import ABORT
from tests.waiting import wait_for
from tests.working import working

FOLDER = folder_of(0)
OUT_OF_RESOURCES, REFUSED, DUPLICATE = 0xA700, 0xC123, 0x0111
BYTES_ASKED, BYTES_ANSWERED = 1400, 500


def spoil(path: Path) -> None:
    """Turn over one bit of the data set."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty DATA."""
    return Store(tmp_path / "data")


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    """A PACS that is well."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture
def line(pacs: Pacs) -> Iterator[FaultProxy]:
    """The way to the PACS, which may be told to fail."""
    with FaultProxy(pacs.port) as line:
        yield line


@pytest.mark.parametrize("fault", ["cut_at", "reset_at"])
@pytest.mark.parametrize(("direction", "length"), [("asked", BYTES_ASKED), ("answered", BYTES_ANSWERED)])
def test_a_line_that_breaks_at_any_byte_loses_and_doubles_nothing(
    store: Store, line: FaultProxy, pacs: Pacs, fault: str, direction: str, length: int
) -> None:
    """Wherever it breaks, a marker says only what the PACS has, and the next try delivers the same bytes."""
    for number, at in enumerate(random.Random(direction).sample(range(1, length), 4)):
        line.become(direction=direction, **{fault: at})
        fails_then_delivers(store, line, pacs, folder_of(number))


@pytest.mark.filterwarnings(*GARBLED)
def test_an_answer_garbled_at_any_byte_is_nobodys_fault_but_the_lines(
    store: Store, line: FaultProxy, pacs: Pacs
) -> None:
    """Nonsense in place of an answer is a reason to try again, never a crash, and the results arrive."""
    for number, at in enumerate(random.Random(3).sample(range(BYTES_ANSWERED), 8)):
        line.become(direction="answered", flip_at=at)
        fails_then_delivers(store, line, pacs, folder_of(number), honest=False)


@pytest.mark.parametrize(
    ("direction", "at"), [("answered", 0), ("answered", 8), ("answered", 300), ("asked", 100), ("asked", 300_000)]
)
def test_a_pacs_that_falls_silent_anywhere_is_left_in_time(
    store: Store, line: FaultProxy, pacs: Pacs, direction: str, at: int
) -> None:
    """Half an answer, no answer, or an object that nobody reads any more holds the sender for its time-out only."""
    ready = reported(store, FOLDER, size=8 << 20)
    line.become(direction=direction, hang_at=at)
    began = time.monotonic()
    said = attempt(sender_to(store, line.port, timeout=0.5, slowest_bytes_per_second=16e6), ready)
    assert "pacs" in said, said
    assert time.monotonic() - began < 10
    line.become()
    assert attempt(sender_to(store, line.port, timeout=10), ready) == "delivered"
    assert len(pacs.objects) == 1


def test_an_answer_lost_on_the_way_is_one_instance_at_the_pacs(store: Store, line: FaultProxy, pacs: Pacs) -> None:
    """The object arrived and its answer did not: the same bytes go again under the same UID."""
    ready = reported(store, FOLDER)

    def lose_the_answer(uid: str) -> int:
        line.become(direction="answered", cut_at=1)
        return SUCCESS

    pacs.answer = lose_the_answer
    assert "broke the association off" in attempt(sender_to(store, line.port), ready)
    assert (marked(store), len(pacs.received)) == ([], 1)
    pacs.answer = lambda uid: SUCCESS
    line.become()
    assert attempt(sender_to(store, line.port), ready) == "delivered"
    assert (len(pacs.received), len(set(pacs.received)), len(pacs.objects)) == (2, 1, 1)


def test_a_pacs_that_has_it_already_has_it(store: Store, line: FaultProxy, pacs: Pacs) -> None:
    """A PACS that refuses a second copy (0111) after its first answer was lost is not asked to take it for ever."""
    ready = reported(store, FOLDER)

    def answer(uid: str) -> int:
        if uid in pacs.objects:
            return DUPLICATE
        line.become(direction="answered", cut_at=1)
        return SUCCESS

    pacs.answer = answer
    attempt(sender_to(store, line.port), ready)
    line.become()
    assert attempt(sender_to(store, line.port), ready) == "delivered"
    assert marked(store) == ["r1-metastasis-report"]


@pytest.mark.parametrize("status", [0x0001, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007])
def test_a_warning_is_an_acknowledgement(store: Store, pacs: Pacs, status: int) -> None:
    """A PACS that coerced an element or frowned at one has the object all the same, and does not get it again."""
    ready = reported(store, FOLDER)
    pacs.answer = lambda uid: status
    assert attempt(sender_to(store, pacs.port), ready) == "delivered"
    assert marked(store) == ["r1-metastasis-report"]


@pytest.mark.parametrize("status", [REFUSED, 0x1234])
def test_one_refused_instance_is_parked_after_three_and_the_others_arrive(
    store: Store, redis: Redis, pacs: Pacs, status: int
) -> None:
    """A permanent status, known or never heard of, parks the results of its study alone, and names itself."""
    studies = [reported(store, folder_of(number)) for number in range(3)]
    refused = studies[1].results[0].sop_instance_uid
    asked: list[str] = []

    def answer(uid: str) -> int:
        asked.append(uid)
        return status if uid == refused else SUCCESS

    pacs.answer = answer
    queue = Stream(redis, "results:pacs")
    for ready in studies:
        queue.publish(f"{ready.study}:r1", ready.SerializeToString())
    sender = sender_to(store, pacs.port)
    with working(queue, sender.deliver, sender.park):
        wait_for(lambda: all(read_record(store, ready.study).outcome.state != "delivering" for ready in studies), 20)
    outcomes = [read_record(store, ready.study).outcome for ready in studies]
    assert [outcome.state for outcome in outcomes] == ["delivered", "parked", "delivered"]
    assert f"{status:04X}" in outcomes[1].reason
    assert (asked.count(refused), len(asked)) == (3, 5)


def test_a_pacs_that_is_full_for_a_while_gets_its_results_when_it_is_not(
    store: Store, redis: Redis, pacs: Pacs
) -> None:
    """A700, more often than a refusal is borne, parks nothing."""
    ready, asked = reported(store, FOLDER), []

    def answer(uid: str) -> int:
        asked.append(uid)
        return OUT_OF_RESOURCES if len(asked) < 7 else SUCCESS

    pacs.answer = answer
    queue = Stream(redis, "results:pacs")
    queue.publish(f"{FOLDER}:r1", ready.SerializeToString())
    sender = sender_to(store, pacs.port)
    with working(queue, sender.deliver, sender.park):
        wait_for(lambda: read_record(store, FOLDER).outcome.state == "delivered", seconds=20)
    assert len(pacs.received) == 1


def test_a_pacs_too_busy_for_another_association_is_waited_for(store: Store, pacs: Pacs) -> None:
    """A transient rejection is no refusal; when the other association is over, ours is taken."""
    ready = reported(store, FOLDER)
    pacs._server.ae.maximum_associations = 1
    other = AE("OTHER")
    other.add_requested_context(ready.results[0].sop_class_uid)
    occupying = other.associate("127.0.0.1", pacs.port, ae_title="PACS")
    with pytest.raises(Unavailable, match="takes no association now"):
        sender_to(store, pacs.port).deliver(delivery_of(ready))
    occupying.release()
    wait_for(lambda: attempt(sender_to(store, pacs.port), ready) == "delivered", seconds=10)


def test_a_stranger_to_the_pacs_is_parked_after_three_with_what_to_do(store: Store, redis: Redis, pacs: Pacs) -> None:
    """A permanent rejection is not retried for days."""
    ready, queue = reported(store, FOLDER), Stream(redis, "results:pacs")
    queue.publish(f"{FOLDER}:r1", ready.SerializeToString())
    sender = sender_to(store, pacs.port, ae_title="NOBODY")
    with working(queue, sender.deliver, sender.park):
        wait_for(lambda: read_record(store, FOLDER).outcome.state == "parked", seconds=20)
    assert "allow SCINTIFLOW there" in read_record(store, FOLDER).outcome.reason


def test_a_pacs_that_takes_the_association_and_no_kind_of_object_is_named(store: Store) -> None:
    """Refused presentation contexts do not heal by waiting: they count, as a refused object does."""
    ready = reported(store, FOLDER)
    with Pacs(syntaxes=[JPEG2000Lossless]) as pacs, pytest.raises(Failed, match="no presentation context"):
        sender_to(store, pacs.port).deliver(delivery_of(ready))


@pytest.mark.parametrize(
    ("late", "last_word"), [(late_for_the_answer, ABORT), (late_for_the_loss, ABORT), (late_for_the_loss, b"")]
)
def test_a_pacs_that_accepts_and_breaks_off_is_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch, late: Callable[[pytest.MonkeyPatch], None], last_word: bytes
) -> None:
    """An association that is gone right after its acceptance refuses nothing, whenever we come to see it."""
    ready = reported(store, FOLDER)
    late(monkeypatch)
    with hanging_up(last_word) as pacs, pytest.raises(Unavailable, match="accepted the association and broke it off"):
        sender_to(store, pacs.port).deliver(delivery_of(ready))


def test_a_rejection_counts_however_late_it_is_seen(store: Store, pacs: Pacs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PACS that rejects us and hangs up at once is not taken for one that is switched off."""
    ready = reported(store, FOLDER)
    late_for_the_answer(monkeypatch)
    with pytest.raises(Failed, match="allow SCINTIFLOW there"):
        sender_to(store, pacs.port, ae_title="NOBODY").deliver(delivery_of(ready))


def test_a_pacs_whose_name_cannot_be_resolved_is_waited_for(store: Store) -> None:
    """Name servers have bad nights too; no result is parked for it."""
    ready = reported(store, FOLDER)
    with pytest.raises(Unavailable, match="nobody knows where"):
        sender_to(store, 104, host="pacs.invalid").deliver(delivery_of(ready))


def test_a_slow_line_gets_the_time_that_the_bytes_need(store: Store, line: FaultProxy, pacs: Pacs) -> None:
    """An object that takes longer to travel than the PACS may take to answer arrives, at the first try."""
    ready = reported(store, FOLDER, size=40_000)
    line.become(rate=20_000.0)
    assert attempt(sender_to(store, line.port, timeout=1.0, slowest_bytes_per_second=2_000.0), ready) == "delivered"
    assert len(pacs.received) == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "is gone from DATA"),
        (lambda path: os.truncate(path, 400), "is damaged in DATA"),
        (lambda path: os.truncate(path, 0), "is damaged in DATA"),
        (spoil, "is damaged in DATA"),
    ],
)
def test_a_result_that_the_disk_has_lost_is_parked_at_once_and_the_others_arrive(
    store: Store, redis: Redis, pacs: Pacs, damage: Callable[[Path], None], said: str
) -> None:
    """A file that is gone, cut or changed is never sent; a person learns which, and what to do."""
    lost = reported(store, folder_of(0), kinds=("report", "picture"))
    sound, queue = reported(store, folder_of(1)), Stream(redis, "results:pacs")
    damage(result_path(store, lost.study, "r1-metastasis-report"))
    for ready in (lost, sound):
        queue.publish(f"{ready.study}:r1", ready.SerializeToString())
    sender = sender_to(store, pacs.port)
    with working(queue, sender.deliver, sender.park):
        wait_for(lambda: all(read_record(store, each.study).outcome.at for each in (lost, sound)), seconds=20)
    outcome = read_record(store, lost.study).outcome
    assert outcome.state == "parked"
    assert f"The report {said} (results/r1-metastasis-report.dcm); put it back and replay" in outcome.reason
    assert marked(store, lost.study) == ["r1-metastasis-picture"]
    assert marked(store, sound.study) == ["r1-metastasis-report"]
    assert len(pacs.received) == 2


def test_a_lost_result_is_told_while_the_pacs_is_away(store: Store, line: FaultProxy) -> None:
    """Nobody waits for days to learn that the only result is gone."""
    ready = reported(store, FOLDER)
    result_path(store, FOLDER, ready.results[0].name).unlink()
    line.become(refuse=True)
    with pytest.raises(Refused, match="is gone from DATA"):
        sender_to(store, line.port).deliver(delivery_of(ready))


def marked(store: Store, folder: str = FOLDER) -> list[str]:
    """Names of the results that the PACS has acknowledged."""
    return sorted(read_record(store, folder).delivered.get("pacs", {}))


def fails_then_delivers(store: Store, line: FaultProxy, pacs: Pacs, folder: str, *, honest: bool = True) -> None:
    """Try over the line as it is, then over a healed one; what an `honest` line marked, the PACS has."""
    ready = reported(store, folder, kinds=("report", "picture"))
    uids = {result.name: result.sop_instance_uid for result in ready.results}
    attempt(sender_to(store, line.port, timeout=0.5), ready)
    assert not honest or {uids[name] for name in marked(store, folder)} <= pacs.objects.keys()
    line.become()
    assert attempt(sender_to(store, line.port), ready) == "delivered"
    assert marked(store, folder) == sorted(uids)
    assert len({sent for sent in pacs.received if sent[0] in uids.values()}) == len(uids), "one instance, one content"
