"""Gathering, against a real Redis and a real disk."""

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY
from pydicom import Dataset
from redis import Redis

from scintiflow.clock import Clock
from scintiflow.config import Destination
from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.contracts.v1.study_pb2 import Arrival, AssociationEnded, ObjectStored, StudyReady
from scintiflow.dicom.identity import study_folder
from scintiflow.dicom.writing import Patient, whole_body_image
from scintiflow.keeper.deadlines import Deadlines
from scintiflow.keeper.keep import Keeper
from scintiflow.keeper.lease import Lease
from scintiflow.keeper.punctuality import Punctuality
from scintiflow.keeper.retention import expire
from scintiflow.keeper.settings import KeeperSettings
from scintiflow.records import Outcome, marker_path, note, read_record
from scintiflow.store import Store
from scintiflow.stream import Stream
from tests.waiting import wait_for

PATIENT = Patient("Simulated^One", "S1", date(1950, 1, 1), "F")
STUDY = "1.2.826.0.1.3680043.8.498.1"
FOLDER = study_folder(STUDY)
SETTINGS = KeeperSettings(quiet_seconds=0.4, idle_seconds=600, sweep_seconds=0.3)
PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104, synthetic="too")


def a_scan(*angles: float, minutes: int = 0, study: str = STUDY) -> Dataset:
    """A delayed whole-body scan with one frame for each start angle."""
    counts = np.full((len(angles), 64, 32), 7, np.uint16)
    acquired_at = datetime(2026, 1, 1, 12) + timedelta(minutes=minutes)
    return whole_body_image(
        counts, patient=PATIENT, acquired_at=acquired_at, start_angles=angles, study_uid=study, pixel_mm=(30.0, 15.0)
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty DATA."""
    return Store(tmp_path)


def arrive(store: Store, redis: Redis, scan: Dataset, association: str = "listener/1") -> None:
    """Store an object as the receiver does, and tell the keeper."""
    part = store.data / "part"
    scan.save_as(part, enforce_file_format=True)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    folder = study_folder(scan.StudyInstanceUID)
    store.put_object(part, folder, digest)
    stored = ObjectStored(study=folder, digest=digest, association=association)
    Stream(redis, "events").publish(digest + association, Arrival(stored=stored).SerializeToString())


def a_keeper(store: Store, redis: Redis, settings: KeeperSettings = SETTINGS) -> Keeper:
    """A keeper with one destination."""
    results = {"pacs": Stream(redis, "results:pacs")}
    return Keeper(
        store,
        Stream(redis, "events"),
        Stream(redis, "ready"),
        results,
        Deadlines(redis),
        Lease(redis),
        settings,
        Clock(store),
        Punctuality([PACS], settings.result_seconds),
    )


@contextmanager
def keeping(keeper: Keeper, worker: str = "keeper") -> Iterator[None]:
    """Run a keeper while the block runs."""
    stopped = threading.Event()
    thread = threading.Thread(target=keeper.keep, args=(worker, stopped))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(30)
        assert not thread.is_alive()


def queued(redis: Redis, seconds: float = 30) -> StudyReady:
    """Take the next ready study from its queue."""
    queue = Stream(redis, "ready")
    taken = wait_for(lambda: queue.take("test", 1, wait_seconds=0.01), seconds)[0]
    queue.acknowledge(taken)
    return StudyReady.FromString(taken.body)


def ended(store: Store, folder: str = FOLDER) -> Outcome:
    """Wait until the keeper has decided, and return the outcome."""
    return wait_for(lambda: (outcome := read_record(store, folder).outcome).state != "receiving" and outcome)


def test_a_complete_pair_is_ready_without_waiting(store: Store, redis: Redis) -> None:
    """Both views in one object need no timer."""
    patient = KeeperSettings(quiet_seconds=60, idle_seconds=600)
    with keeping(a_keeper(store, redis, patient)):
        arrive(store, redis, a_scan(180, 0))
        ready = queued(redis)
    assert (ready.study, ready.revision, len(ready.views)) == (FOLDER, 1, 2)


def test_two_objects_with_one_view_each_are_ready_with_the_second(store: Store, redis: Redis) -> None:
    """A pair in two objects, over two associations, is complete when its second half is there."""
    patient = KeeperSettings(quiet_seconds=60, idle_seconds=600)
    with keeping(a_keeper(store, redis, patient)):
        arrive(store, redis, a_scan(180), "listener/1")
        arrive(store, redis, a_scan(0, minutes=20), "listener/2")
        ready = queued(redis)
    assert len({view.digest for view in ready.views}) == 2


def test_half_a_pair_is_decided_when_it_has_been_quiet(store: Store, redis: Redis) -> None:
    """A study without a pair is read after the quiet time, with what there is."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180))
        ready = queued(redis)
    assert len(ready.views) == 1
    assert ready.ready_at - ready.last_stored_at >= SETTINGS.quiet_seconds


def test_an_open_association_keeps_a_study_open(store: Store, redis: Redis) -> None:
    """While a sender that touched the study is connected, more may come; its release lets the study go."""
    redis.set("scintiflow:listener:listener", 1, ex=60)
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180))
        events = Stream(redis, "events")
        wait_for(lambda: Deadlines(redis).next_due() is not None and events.depth().leased == 0)
        with pytest.raises(AssertionError, match="not within"):
            queued(redis, seconds=1.5)
        ended_one = AssociationEnded(association="listener/1", studies=[FOLDER])
        events.publish("ended", Arrival(ended=ended_one).SerializeToString())
        assert len(queued(redis).views) == 1


def test_the_association_of_a_dead_listener_keeps_nothing_open(store: Store, redis: Redis) -> None:
    """A listener that was killed beats no more, so its associations do not hold studies back."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180), "killed/7")
        assert len(queued(redis).views) == 1


def test_an_object_nobody_told_of_is_found_on_disk(store: Store, redis: Redis) -> None:
    """An object stored while Redis was away is gathered by the sweep."""
    arrive(store, redis, a_scan(180, 0))
    redis.flushall()
    with keeping(a_keeper(store, redis)):
        assert queued(redis).study == FOLDER


def test_what_redis_lost_is_queued_again(store: Store, redis: Redis) -> None:
    """Wiping Redis loses neither a study that waits to be read nor a result that waits to be sent."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180, 0))
        queued(redis)
        redis.flushall()
        again = queued(redis)
        assert again.revision == 1
        result = Result(name="r1-metastasis-report", kind="report", model="metastasis")
        delivery = ResultReady(study=FOLDER, revision=1, destination="pacs", results=[result])
        note(store, FOLDER, "reported", revision=1, deliveries=[delivery])
        redis.flushall()
        results = Stream(redis, "results:pacs")
        assert wait_for(lambda: results.take("test", 1, wait_seconds=0.01))


def test_results_for_a_destination_that_is_gone_are_parked(store: Store, redis: Redis) -> None:
    """A destination taken out of the configuration leaves nothing waiting unseen: a person is told."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180, 0))
        queued(redis)
        result = Result(name="r1-metastasis-report", kind="report", model="metastasis")
        delivery = ResultReady(study=FOLDER, revision=1, destination="old-pacs", results=[result])
        note(store, FOLDER, "reported", revision=1, deliveries=[delivery])
        outcome = wait_for(lambda: (o := read_record(store, FOLDER).outcome).state == "parked" and o)
    assert outcome.reason == "old-pacs is no longer in scintiflow.toml; add it again and replay."


def parked() -> float | None:
    """How many studies need a person, as Prometheus sees it."""
    return REGISTRY.get_sample_value("scintiflow_keeper_parked")


def test_a_parked_study_needs_a_person_until_retention_took_it(store: Store, redis: Redis) -> None:
    """Nobody can help a study whose objects are gone, so it is not among those that wait for a person."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180, 0))
        queued(redis)
        note(store, FOLDER, "parked", stage="read", revision=1, reason="No pixels.")
        wait_for(lambda: parked() == 1)
        expire(store, read_record(store, FOLDER), "its time is over")
        wait_for(lambda: parked() == 0)


def late() -> float:
    """How many studies' results were late at the PACS, as Prometheus sees it."""
    labels = {"destination": "pacs", "outcome": "late"}
    return REGISTRY.get_sample_value("scintiflow_keeper_results_due_total", labels) or 0.0


def test_a_study_that_nobody_reads_counts_as_late(store: Store, redis: Redis) -> None:
    """Its time is over although nothing has happened to it since it was queued: it counts, once."""
    before = late()
    with keeping(a_keeper(store, redis, SETTINGS.model_copy(update={"result_seconds": 0.1}))):
        arrive(store, redis, a_scan(180, 0))
        wait_for(lambda: late() == before + 1)
        swept = REGISTRY.get_sample_value("scintiflow_keeper_swept_timestamp_seconds")
        wait_for(lambda: REGISTRY.get_sample_value("scintiflow_keeper_swept_timestamp_seconds") != swept)
    assert late() == before + 1


def test_the_same_scan_again_is_no_revision(store: Store, redis: Redis) -> None:
    """More objects that change nothing about the selected views start nothing."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180, 0))
        queued(redis)
        note(store, FOLDER, "read", revision=1, reason="No destination takes its results.")
        arrive(store, redis, a_scan(180))
        assert ended(store).state == "read"
        record = wait_for(lambda: (r := read_record(store, FOLDER)).events[-1]["event"] == "unchanged" and r)
    assert len(record.readies) == 1


def test_a_later_pair_is_a_revision(store: Store, redis: Redis) -> None:
    """When the selected views change, the study is read once more under the next number."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180))
        assert queued(redis).revision == 1
        arrive(store, redis, a_scan(180, 0, minutes=30))
        # until then, the sweep may have queued the first one again: nobody has read it
        ready = wait_for(lambda: (ready := queued(redis)).revision == 2 and ready)
    assert len(ready.views) == 2


def test_a_study_without_a_bone_scan_is_declined_with_the_reason(store: Store, redis: Redis) -> None:
    """Nothing for us ends as declined, in a sentence."""
    iodine = a_scan(180, 0)
    isotope = iodine.RadiopharmaceuticalInformationSequence[0]
    isotope.RadionuclideCodeSequence[0].CodeValue = "1576001"
    isotope.RadionuclideCodeSequence[0].CodeMeaning = "^131^Iodine"
    isotope.Radiopharmaceutical = "I-131"
    if "RadiopharmaceuticalCodeSequence" in isotope:
        del isotope.RadiopharmaceuticalCodeSequence
    iodine.EnergyWindowInformationSequence[0].EnergyWindowRangeSequence[0].EnergyWindowLowerLimit = 328
    iodine.EnergyWindowInformationSequence[0].EnergyWindowRangeSequence[0].EnergyWindowUpperLimit = 400
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, iodine)
        outcome = ended(store)
    assert outcome.state == "declined"
    assert outcome.reason.endswith(".")


@pytest.mark.parametrize("trouble", ["gone", "unreadable", "damaged marker"])
def test_a_study_in_trouble_stops_no_other(store: Store, redis: Redis, trouble: str) -> None:
    """A folder that somebody removed or damaged delays only its own study, in the sweep as at its deadline."""
    for number in range(2):
        bad = store.study(f"{number:032x}")
        if trouble == "unreadable":
            (bad / "events.jsonl").mkdir(parents=True)
        if trouble == "damaged marker":
            store.put_once(bad / "delivered" / "pacs" / "r1-metastasis-report.json", b"")
        Deadlines(redis).decide_at(bad.name, due=1.0)
    arrive(store, redis, a_scan(180, 0))
    redis.delete("scintiflow:events")
    with keeping(a_keeper(store, redis)):
        assert queued(redis).study == FOLDER


def test_an_event_that_nobody_understands_is_dropped(store: Store, redis: Redis) -> None:
    """Events only save time: one from another version is passed over, for the disk knows what it told."""
    Stream(redis, "events").publish("foreign", b"\xff\xff")
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180, 0))
        assert queued(redis).study == FOLDER
        wait_for(lambda: Stream(redis, "events").depth().leased == 0)


def test_an_object_that_the_disk_does_not_give_back_parks_its_study(store: Store, redis: Redis) -> None:
    """What cannot be read cannot be declined: a person repairs the disk and replays."""
    arrive(store, redis, a_scan(180, 0))
    (digest,) = read_record(store, FOLDER).objects
    path = store.study(FOLDER) / "objects" / f"{digest}.dcm"
    path.unlink()
    path.mkdir()
    with keeping(a_keeper(store, redis)):
        outcome = ended(store)
    assert (outcome.state, "repair it" in outcome.reason) == ("parked", True)


def test_a_study_of_damaged_objects_is_declined_for_what_it_is(store: Store, redis: Redis) -> None:
    """Damage since the receiver looked is the reason that a person reads."""
    arrive(store, redis, a_scan(180, 0))
    (digest,) = read_record(store, FOLDER).objects
    (store.study(FOLDER) / "objects" / f"{digest}.dcm").write_bytes(bytes(1000))
    with keeping(a_keeper(store, redis)):
        outcome = ended(store)
    assert (outcome.state, outcome.reason) == ("declined", "An object cannot be read as DICOM.")
    assert list(read_record(store, FOLDER).declined) == [digest]


def test_a_clock_that_was_set_back_holds_nothing_up(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects dated tomorrow, and a sweep and a deadline planned before the clock changed, wait for no tomorrow."""
    keeper = a_keeper(store, redis)
    keeper._take_turn("keeper", threading.Event())
    arrive(store, redis, a_scan(180))
    redis.delete("scintiflow:events")
    Deadlines(redis).decide_at(FOLDER, time.time() + 1)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 86_400)
    with keeping(keeper):
        assert queued(redis).study == FOLDER


def test_a_clock_set_ten_years_ahead_expires_nothing(
    store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention does not believe a clock that jumped."""
    keeper, stopped = a_keeper(store, redis), threading.Event()
    arrive(store, redis, a_scan(180, 0))
    keeper._take_turn("keeper", stopped)
    note(store, FOLDER, "read", revision=1, reason="No destination takes its results.")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 10 * 365 * 86_400)
    keeper._next_sweep = keeper._next_retention = 0
    keeper._take_turn("keeper", stopped)
    record = read_record(store, FOLDER)
    assert (record.outcome.state, len(record.objects)) == ("read", 1)
    assert "expired" not in [event["event"] for event in record.events]


@pytest.mark.parametrize("angles", [(180, 0), (180,)])
def test_what_comes_after_retention_replaces_no_pair(store: Store, redis: Redis, angles: tuple[float, ...]) -> None:
    """Neither the same instances in other bytes nor a single view is a revision of a pair that was reported."""
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, scan := a_scan(180, 0))
        queued(redis)
        result = Result(name="r1-metastasis-report", kind="report", model="metastasis")
        delivery = ResultReady(study=FOLDER, revision=1, destination="pacs", results=[result])
        note(store, FOLDER, "reported", revision=1, deliveries=[delivery])
        store.put_once(marker_path(store, FOLDER, "pacs", result.name), b'{"at": 1}')
        expire(store, read_record(store, FOLDER), "its time is over")
        again = scan if len(angles) == 2 else a_scan(*angles, minutes=30)
        again.StationName = "ANOTHER"
        arrive(store, redis, again)
        wait_for(lambda: read_record(store, FOLDER).events[-1]["event"] == "unchanged")
    assert read_record(store, FOLDER).outcome.state == "delivered"


def test_a_keeper_that_hangs_holds_up_only_the_study_it_decides(store: Store, redis: Redis) -> None:
    """A study that a stopped keeper has in hand waits for that one's end; the stand-by goes on with the others."""
    other = "1.2.826.0.1.3680043.8.498.2"
    arrive(store, redis, a_scan(180, 0))
    hung = os.open(store.study(FOLDER), os.O_RDONLY)
    fcntl.flock(hung, fcntl.LOCK_EX)
    with keeping(a_keeper(store, redis)):
        arrive(store, redis, a_scan(180, 0, study=other))
        assert queued(redis).study == study_folder(other)
        os.close(hung)
        wait_for(lambda: queued(redis).study == FOLDER)  # a sweep may queue the other again, which nobody has read


def test_only_one_keeper_is_active_and_the_other_takes_over(store: Store, redis: Redis) -> None:
    """A second keeper stands by, and goes on when the first one is gone."""
    first, second = a_keeper(store, redis), a_keeper(store, redis)
    with keeping(second, "second"):
        wait_for(lambda: second.readiness() is None)
        assert not first.lease.hold()
    assert first.lease.hold(), "a keeper that stops gives its lease back at once"
    first.lease.let_go()
    with keeping(first, "first"):
        arrive(store, redis, a_scan(180, 0))
        assert queued(redis).study == FOLDER


def test_a_replayed_gathering_is_decided_again(store: Store, redis: Redis) -> None:
    """What was parked while gathering is looked at afresh after a replay."""
    arrive(store, redis, a_scan(180, 0))
    digests = list(read_record(store, FOLDER).objects)
    note(store, FOLDER, "parked", stage="gather", reason="Two patients in one study.", objects=digests)
    redis.flushall()
    assert read_record(store, FOLDER).outcome.state == "parked"
    with keeping(a_keeper(store, redis)):
        note(store, FOLDER, "replayed", stage="gather")
        assert queued(redis).study == FOLDER


def test_many_studies_due_at_once_hold_no_event_up(store: Store, redis: Redis) -> None:
    """However many studies are due, the keeper decides a few at a time and hears of new objects in between."""
    deadlines = Deadlines(redis)
    for number in range(100):
        deadlines.decide_at(f"{number:032x}", due=1.0)
    a_keeper(store, redis)._take_turn("keeper", threading.Event())
    assert len(deadlines.due(time.time(), most=100)) >= 50


def test_room_is_made_although_a_step_of_the_clock_cannot_be_noted(store: Store, redis: Redis) -> None:
    """A clock set while the disk is full keeps the keeper from trusting ages, not from what makes the disk well."""
    arrive(store, redis, a_scan(180, 0))
    a_keeper(store, redis)._take_turn("keeper", threading.Event())
    result = Result(name="r1-metastasis-report", kind="report", model="metastasis")
    delivery = ResultReady(study=FOLDER, revision=1, destination="pacs", results=[result])
    note(store, FOLDER, "reported", revision=1, deliveries=[delivery])
    store.put_once(marker_path(store, FOLDER, "pacs", result.name), b'{"at": 1}')
    (store.data / "clock.jsonl").mkdir()
    keeper = a_keeper(store, redis, SETTINGS.model_copy(update={"free_bytes_wanted": 1 << 62}))
    keeper.clock = Clock(store, 0.0)
    redis.delete("scintiflow:keeper:lease")
    with keeping(keeper):
        wait_for(lambda: not read_record(store, FOLDER).objects)


def test_what_a_process_that_was_killed_left_half_written_is_removed(store: Store, redis: Redis) -> None:
    """Temporary files of the dead go although no receiver starts anew; those of the living stay."""
    left = store.data / "incoming" / "once-dead"
    left.mkdir(parents=True)
    (left / "part").write_bytes(b"half")
    with store.incoming("alive") as ours, keeping(a_keeper(store, redis)):
        wait_for(lambda: not left.exists())
        assert ours.exists()
