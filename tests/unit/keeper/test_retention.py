"""Retention: who goes, when, and what stays."""

import hashlib
import itertools
import json
import os
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.errors import Unavailable
from scintiflow.keeper.retention import expire, forget, oldest_delivered, overdue, overdue_probes
from scintiflow.records import Record, marker_path, note, read_record
from scintiflow.store import Store

DAY = 86_400.0


def ended(event: str, at: float) -> Record:
    """A record that ended with `event` at a time."""
    decision = {"at": at, "event": event, "reason": "", "objects": ["aa"], "stage": "gather"}
    return Record("0" * 32, {"aa": at}, (decision,), {}, came=at)


@pytest.mark.parametrize(("event", "days"), [("declined", 7), ("parked", 30)])
def test_a_study_stays_for_the_days_of_its_end(event: str, days: int) -> None:
    """Good ends go after a week, open ones after a month, none earlier."""
    record = ended(event, at=0.0)
    assert overdue([record], (days - 0.1) * DAY, days=7, days_open=30) == []
    assert overdue([record], (days + 0.1) * DAY, days=7, days_open=30) == [record]


def test_a_study_on_its_way_never_expires() -> None:
    """Age alone removes nothing that has not come to an end."""
    assert overdue([Record("0" * 32, {"aa": 0.0}, (), {}, came=0.0)], 1000 * DAY, days=7, days_open=30) == []


def test_expiry_leaves_a_tombstone_with_findings_and_events(tmp_path: Path) -> None:
    """Objects and results go; findings, markers and the record of what happened stay, and so does the end."""
    store = Store(tmp_path)
    study = store.study("0" * 32)
    for part in ("objects/aa.dcm", "results/r1-metastasis-report.dcm", "findings/r1-metastasis.json"):
        (study / part).parent.mkdir(parents=True)
        (study / part).write_bytes(b"x")
    note(store, "0" * 32, "selected", reason="", objects=["aa"], ready=StudyReady(revision=1), revision=1)
    note(store, "0" * 32, "declined", reason="Without counts.", revision=1)
    expire(store, read_record(store, "0" * 32), "its time is over")
    assert not list(study.glob("objects/*"))
    assert not list(study.glob("results/*"))
    assert (study / "findings/r1-metastasis.json").exists()
    assert read_record(store, "0" * 32).outcome.state == "declined"


def of_the_probe(store: Store) -> Record:
    """A study that the probe sent, selected to be read."""
    put(store, b"scan")
    ready = StudyReady(revision=1, synthetic=True, probe=True)
    objects = list(read_record(store, "0" * 32).objects)
    note(store, "0" * 32, "selected", reason="", objects=objects, ready=ready, revision=1)
    return read_record(store, "0" * 32)


def test_what_the_probe_sent_is_forgotten_early(tmp_path: Path) -> None:
    """An hour after it came nothing of it is left, wherever it stood; what others sent stays."""
    store = Store(tmp_path)
    record, other = of_the_probe(store), ended("declined", at=0.0)
    assert overdue_probes([record, other], record.came + 3_500, hours=1) == []
    assert overdue_probes([record, other], record.came + 3_700, hours=1) == [record]
    forget(store, record)
    assert list(store.studies()) == []


def test_what_is_read_now_is_not_forgotten(tmp_path: Path) -> None:
    """A router may write results of it."""
    store = Store(tmp_path)
    came = of_the_probe(store).came
    note(store, "0" * 32, "reading", revision=1)
    assert overdue_probes([read_record(store, "0" * 32)], came + 3_700, hours=1) == []


def test_what_changed_meanwhile_is_not_forgotten(tmp_path: Path) -> None:
    """A study that something happened to since it was looked at stays for another look."""
    store = Store(tmp_path)
    record = of_the_probe(store)
    note(store, "0" * 32, "reading", revision=1)
    with pytest.raises(Unavailable):
        forget(store, record)
    assert read_record(store, "0" * 32).objects == record.objects


@pytest.fixture
def declined(tmp_path: Path) -> tuple[Store, Record]:
    """A study that came and ended long ago, and what the keeper has read of it."""
    store = Store(tmp_path)
    put(store, b"scan")
    os.utime(store.study("0" * 32) / "objects", (1.0, 1.0))
    note(store, "0" * 32, "declined", reason="Without counts.", objects=list(read_record(store, "0" * 32).objects))
    return store, read_record(store, "0" * 32)


def put(store: Store, data: bytes) -> bool:
    """Store an object as the receiver does."""
    with store.incoming(uuid.uuid4().hex) as incoming:
        (incoming / "part").write_bytes(data)
        return store.put_object(incoming / "part", "0" * 32, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("data", [b"scan", b"other"])
def test_what_comes_before_a_study_expires_stays(declined: tuple[Store, Record], data: bytes) -> None:
    """Retention removes only what it judged: neither an object that came since is lost, nor one that came again."""
    store, judged = declined
    put(store, data)
    with pytest.raises(Unavailable, match="has changed"):
        expire(store, judged, "its time is over")
    assert hashlib.sha256(data).hexdigest() in read_record(store, "0" * 32).objects


@pytest.mark.parametrize("after", range(4))
def test_what_comes_again_while_a_study_expires_stays(
    declined: tuple[Store, Record], after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever step of storing the same bytes retention comes: who is told that they are durable finds them."""
    store, judged = declined
    steps, sync = itertools.count(), os.fsync

    def sync_and_expire(handle: int) -> None:
        sync(handle)
        if next(steps) == after:
            with suppress(Unavailable):
                expire(store, judged, "its time is over")

    monkeypatch.setattr(os, "fsync", sync_and_expire)
    put(store, b"scan")
    assert next(steps) > after
    assert read_record(store, "0" * 32).objects == judged.objects


def test_what_comes_while_objects_are_removed_is_put_off(
    declined: tuple[Store, Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While retention removes a study nobody is told that an object of it is durable; afterwards it is as any other."""
    store, judged = declined
    answers, unlink = [], Path.unlink

    def put_and_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "objects":
            with pytest.raises(Unavailable, match="being removed"):
                put(store, b"scan")
            answers.append("put off")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", put_and_unlink)
    expire(store, judged, "its time is over")
    assert answers == ["put off"]
    assert put(store, b"scan")
    assert read_record(store, "0" * 32).objects.keys() == judged.objects.keys()


def test_objects_that_come_again_have_their_days_again() -> None:
    """A parked study that was sent again, before or after it expired, stays until a person can replay it."""
    again = replace(ended("parked", at=0.0), came=40 * DAY)
    assert overdue([again], 41 * DAY, days=7, days_open=30) == []
    assert overdue([again], 71 * DAY, days=7, days_open=30) == [again]


def test_days_count_from_the_last_step_of_the_clock() -> None:
    """After the clock was set, studies that ended before it, or in a time that is yet to come, have all their days."""
    old, of_the_future = ended("declined", at=0.0), ended("declined", at=9000 * DAY)
    for record in (old, of_the_future):
        assert overdue([record], 1006 * DAY, days=7, days_open=30, even_since=1000 * DAY) == []
        assert overdue([record], 1008 * DAY, days=7, days_open=30, even_since=1000 * DAY) == [record]


def delivered(store: Store, number: int, at: float) -> Record:
    """A record of a study with an object of long ago, delivered at a time."""
    folder = f"{number:032x}"
    result = Result(name="r1-metastasis-report", kind="report", model="metastasis")
    delivery = ResultReady(study=folder, revision=1, destination="pacs", results=[result])
    note(store, folder, "selected", reason="", objects=["aa"], ready=StudyReady(revision=1), revision=1)
    note(store, folder, "reported", revision=1, deliveries=[delivery])
    store.put_once(marker_path(store, folder, "pacs", result.name), json.dumps({"at": at}).encode())
    return replace(read_record(store, folder), objects={"aa": 0.0}, came=0.0)


def test_a_full_disk_takes_the_oldest_delivered_first(tmp_path: Path) -> None:
    """Only delivered studies go early, and none to which an object came just now."""
    later, earlier, again = (delivered(Store(tmp_path), number, at) for number, at in enumerate((90.0, 80.0, 70.0)))
    others = [ended("declined", 1.0), ended("parked", 2.0)]
    assert oldest_delivered([later, *others, replace(again, came=99.5), earlier], now=100.0) == [earlier, later]
