"""Retention: who goes, when, and what stays."""

from dataclasses import replace
from pathlib import Path

import pytest

from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.keeper.retention import expire, oldest_delivered, overdue
from scintiflow.records import Record, note, read_record
from scintiflow.store import Store

DAY = 86_400.0


def ended(event: str, at: float) -> Record:
    """A record that ended with `event` at a time."""
    decision = {"at": at, "event": event, "reason": "", "objects": ["aa"], "stage": "gather"}
    return Record("0" * 32, {"aa": at}, (decision,), {})


@pytest.mark.parametrize(("event", "days"), [("declined", 7), ("parked", 30)])
def test_a_study_stays_for_the_days_of_its_end(event: str, days: int) -> None:
    """Good ends go after a week, open ones after a month, none earlier."""
    record = ended(event, at=0.0)
    assert overdue([record], (days - 0.1) * DAY, days=7, days_open=30) == []
    assert overdue([record], (days + 0.1) * DAY, days=7, days_open=30) == [record]


def test_a_study_on_its_way_never_expires() -> None:
    """Age alone removes nothing that has not come to an end."""
    assert overdue([Record("0" * 32, {"aa": 0.0}, (), {})], 1000 * DAY, days=7, days_open=30) == []


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


def test_what_arrives_while_a_study_expires_stays(tmp_path: Path) -> None:
    """Retention removes only what it judged: an object or a revision that came since is not lost."""
    store = Store(tmp_path)
    study = store.study("0" * 32)
    for part in ("objects/aa.dcm", "results/r1-metastasis-report.dcm"):
        (study / part).parent.mkdir(parents=True)
        (study / part).write_bytes(b"x")
    note(store, "0" * 32, "selected", reason="", objects=["aa"], ready=StudyReady(revision=1), revision=1)
    note(store, "0" * 32, "read", reason="Nobody takes its results.", revision=1)
    judged = read_record(store, "0" * 32)
    for part in ("objects/bb.dcm", "results/r2-metastasis-report.dcm"):
        (study / part).write_bytes(b"x")
    expire(store, judged, "its time is over")
    left = {path.stem for part in ("objects", "results") for path in (study / part).iterdir()}
    assert left == {"bb", "r2-metastasis-report"}
    assert read_record(store, "0" * 32).outcome.state == "receiving"


def test_objects_that_come_again_have_their_days_again() -> None:
    """A parked study that expired and was sent again is not removed before a person can replay it."""
    again = replace(ended("parked", at=0.0), objects={"aa": 40 * DAY})
    assert overdue([again], 41 * DAY, days=7, days_open=30) == []
    assert overdue([again], 71 * DAY, days=7, days_open=30) == [again]


def test_days_count_from_the_last_step_of_the_clock() -> None:
    """After the clock was set, studies that ended before it, or in a time that is yet to come, have all their days."""
    old, of_the_future = ended("declined", at=0.0), ended("declined", at=9000 * DAY)
    for record in (old, of_the_future):
        assert overdue([record], 1006 * DAY, days=7, days_open=30, even_since=1000 * DAY) == []
        assert overdue([record], 1008 * DAY, days=7, days_open=30, even_since=1000 * DAY) == [record]


def test_a_full_disk_takes_the_oldest_delivered_first() -> None:
    """Only delivered studies go early."""
    assert oldest_delivered([ended("declined", 1.0), ended("parked", 2.0)]) == []
