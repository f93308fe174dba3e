"""What a study's folder says: one state, whatever the order in which crashes and repeats have left its lines."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scintiflow.contracts.v1.finding_pb2 import Finding, Result, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.records import (
    ENDS,
    Event,
    Record,
    as_json,
    finding_path,
    marker_path,
    note,
    read_findings,
    read_record,
)
from scintiflow.store import Store

FOLDER = "0123456789abcdef" * 2
ONE, TWO = "1" * 64, "2" * 64


class Study:
    """A study folder that the test fills as the processes would."""

    def __init__(self, data: Path) -> None:
        self.store = Store(data)

    def stored(self, digest: str) -> None:
        """The receiver stored an object."""
        objects = self.store.study(FOLDER) / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        (objects / f"{digest}.dcm").write_bytes(b"scan")

    def noted(self, event: Event, **facts: object) -> None:
        """Somebody appended an event."""
        note(self.store, FOLDER, event, **facts)

    def selected(self, revision: int, *digests: str) -> None:
        """The keeper selected views."""
        ready = StudyReady(study=FOLDER, revision=revision)
        self.noted("selected", reason="", objects=list(digests), ready=ready, revision=revision)

    def reported(self, revision: int, *destinations: str) -> None:
        """The router wrote results for `destinations`."""
        deliveries = [delivery(revision, name) for name in destinations]
        self.noted("reported", revision=revision, deliveries=deliveries)

    def acknowledged(self, revision: int, destination: str) -> None:
        """A destination acknowledged everything of a revision."""
        for result in delivery(revision, destination).results:
            self.store.put_once(marker_path(self.store, FOLDER, destination, result.name), b'{"at": 12.5}')

    def record(self) -> Record:
        """Read the record."""
        return read_record(self.store, FOLDER)

    def state(self) -> str:
        """Fold the record."""
        return self.record().outcome.state

    def replay(self) -> None:
        """A person asks to try again what is parked."""
        for event in self.record().parked:
            self.noted("replayed", **{key: event[key] for key in ("stage", "destination", "revision") if key in event})


def delivery(revision: int, destination: str) -> ResultReady:
    """One report and one picture of a revision, for a destination."""
    results = [Result(name=f"r{revision}-m-{kind}", kind=kind, model="m") for kind in ("report", "picture")]
    return ResultReady(study=FOLDER, revision=revision, destination=destination, results=results)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study with one object that nobody has decided about."""
    study = Study(tmp_path)
    study.stored(ONE)
    return study


@contextmanager
def fresh_study() -> Iterator[Study]:
    """The same, for each example of a property."""
    with TemporaryDirectory() as data:
        study = Study(Path(data))
        study.stored(ONE)
        yield study


def test_a_study_walks_the_line(study: Study) -> None:
    """Each step of the line is one state, and the last acknowledgement ends it."""
    states = [study.state()]
    study.selected(1, ONE)
    states.append(study.state())
    study.noted("reading", revision=1)
    states.append(study.state())
    study.reported(1, "pacs", "viewer")
    states.append(study.state())
    study.acknowledged(1, "pacs")
    states.append(study.state())
    study.acknowledged(1, "viewer")
    assert [*states, study.state()] == ["receiving", "queued", "reading", "delivering", "delivering", "delivered"]
    assert study.record().outcome.at == 12.5
    assert study.record().outcome.reason == "sent to pacs, viewer"


@pytest.mark.parametrize("end", ["read", "incomplete", "declined", "parked"])
def test_reading_ends_with_a_reason(study: Study, end: Event) -> None:
    """Whatever end the router notes is the study's end, with its reason and time."""
    study.selected(1, ONE)
    study.noted(end, revision=1, reason="because", stage="read")
    outcome = study.record().outcome
    assert (outcome.state, outcome.reason) == (end, "because")
    assert outcome.at is not None


def test_nothing_for_us_is_declined(study: Study) -> None:
    """A study that the keeper declined has come to its end."""
    study.noted("declined", objects=[ONE], reason="a CT")
    assert (study.state(), study.record().outcome.reason) == ("declined", "a CT")


def test_objects_are_declined_one_by_one(study: Study) -> None:
    """The keeper's decisions say which objects of a study are not for us, and why; the last one about each counts."""
    study.stored(TWO)
    assert study.record().declined == {}
    study.noted("declined", objects=[ONE], declined={ONE: "a CT"}, reason="a CT")
    study.noted("selected", objects=[TWO], declined={TWO: "a blur"}, ready=StudyReady(revision=1), revision=1)
    study.noted("reading", revision=1)
    assert study.record().declined == {ONE: "a CT", TWO: "a blur"}
    study.noted("unchanged", objects=[ONE, TWO], declined={ONE: "a CT."}, reason="the selected views are the same")
    assert study.record().declined == {ONE: "a CT."}


def test_a_decision_need_not_repeat_earlier_ones(study: Study) -> None:
    """What was decided stays so, whether later decisions list it again, as those of earlier versions do, or not."""
    study.noted("declined", objects=[ONE], declined={ONE: "a CT"}, reason="a CT")
    study.stored(TWO)
    study.selected(1, TWO)
    assert (study.state(), study.record().undecided) == ("queued", frozenset())


def test_a_new_object_opens_a_study_again(study: Study) -> None:
    """After its end, one more object makes a study receive until the keeper has decided anew."""
    study.noted("declined", objects=[ONE], reason="a CT")
    study.stored(TWO)
    assert (study.state(), study.record().undecided) == ("receiving", {TWO})
    study.selected(1, ONE, TWO)
    assert study.state() == "queued"


def test_unchanged_views_change_nothing(study: Study) -> None:
    """A late object that leaves the views as they are leaves the study at its end."""
    study.selected(1, ONE)
    study.reported(1, "pacs")
    study.acknowledged(1, "pacs")
    study.stored(TWO)
    study.noted("unchanged", objects=[ONE, TWO], reason="the selected views are the same")
    assert study.state() == "delivered"


def test_unchanged_views_end_a_conflict(study: Study) -> None:
    """A study parked for a conflict goes on from its selected views once the keeper finds them unchanged."""
    study.selected(1, ONE)
    study.stored(TWO)
    study.noted("parked", objects=[ONE, TWO], reason="two patients", stage="gather")
    assert study.state() == "parked"
    study.replay()
    study.noted("unchanged", objects=[ONE, TWO], reason="the selected views are the same")
    assert study.state() == "queued"


def test_a_revision_is_read_anew(study: Study) -> None:
    """A second selection queues the study again, though the first was delivered; both revisions stay known."""
    study.selected(1, ONE)
    study.reported(1, "pacs")
    study.acknowledged(1, "pacs")
    study.stored(TWO)
    study.selected(2, ONE, TWO)
    assert study.state() == "queued"
    study.reported(2, "pacs")
    assert study.state() == "delivering"
    study.acknowledged(2, "pacs")
    assert study.state() == "delivered"
    assert [ready.revision for ready in study.record().readies] == [1, 2]


def test_one_parked_destination_parks_the_study_when_the_others_are_done(study: Study) -> None:
    """A destination that refuses parks the study only after the others have theirs, and is named."""
    study.selected(1, ONE)
    study.reported(1, "pacs", "viewer")
    study.noted("parked", stage="send", destination="viewer", revision=1, reason="viewer refuses it")
    record = study.record()
    assert (record.outcome.state, record.destination_state("viewer")) == ("delivering", "parked")
    study.acknowledged(1, "pacs")
    assert (study.state(), study.record().outcome.reason) == ("parked", "viewer refuses it")


def test_replaying_the_gathering_leaves_every_object_undecided(study: Study) -> None:
    """A replay of a study parked by the keeper makes the keeper look at all its objects again."""
    study.noted("parked", objects=[ONE], reason="two patients", stage="gather")
    study.replay()
    assert (study.state(), study.record().undecided, study.record().parked) == ("receiving", {ONE}, ())
    study.selected(1, ONE)
    assert study.state() == "queued"


def test_replaying_the_reading_queues_the_revision(study: Study) -> None:
    """A replay of a study parked by the router queues it, and its next end is the one that counts."""
    study.selected(1, ONE)
    study.noted("reading", revision=1)
    study.noted("parked", stage="read", revision=1, reason="cannot be decoded")
    study.replay()
    assert (study.state(), study.record().parked) == ("queued", ())
    study.noted("parked", stage="read", revision=1, reason="still not")
    assert (study.state(), study.record().outcome.reason) == ("parked", "still not")
    study.replay()
    study.noted("reading", revision=1)
    study.noted("incomplete", revision=1, reason="posterior view missing")
    assert study.state() == "incomplete"


def test_replaying_the_sending_delivers_again(study: Study) -> None:
    """A replay of a parked destination makes it wait for its results again, and no other one."""
    study.selected(1, ONE)
    study.reported(1, "pacs", "viewer")
    for name in ("pacs", "viewer"):
        study.noted("parked", stage="send", destination=name, revision=1, reason="away")
    study.noted("replayed", stage="send", destination="pacs", revision=1)
    assert study.record().destination_state("pacs") == "delivering"
    assert study.record().destination_state("viewer") == "parked"
    study.replay()
    assert study.record().parked == ()


def test_retention_leaves_the_end_standing(study: Study) -> None:
    """Removing a study's objects changes neither its end nor when it came to it."""
    study.selected(1, ONE)
    study.reported(1, "pacs")
    study.acknowledged(1, "pacs")
    before = study.record().outcome
    (study.store.study(FOLDER) / "objects" / f"{ONE}.dcm").unlink()
    study.noted("expired", reason="its time is over")
    assert study.record().outcome == before


def test_findings_come_by_revision(study: Study) -> None:
    """Findings are read back as written, ordered by model, and only those of the revision asked for."""
    for revision, model in ((1, "b"), (1, "a"), (2, "a"), (11, "a")):
        finding = Finding(study=FOLDER, revision=revision, model=model, probability=0.25)
        study.store.put_once(finding_path(study.store, finding), as_json(finding))
    assert [finding.model for finding in read_findings(study.store, FOLDER, 1)] == ["a", "b"]
    assert read_findings(study.store, FOLDER, 2)[0].probability == 0.25


def test_torn_and_foreign_lines_are_passed_over(study: Study) -> None:
    """Half a line, a line that is no event and a line from a later version disturb nobody."""
    study.selected(1, ONE)
    for line in (
        b'{"at": 1, "event": "read',
        b"[]",
        b"\xff\xfe",
        b'{"at": 1, "event": "sung"}',
    ):
        study.store.append_line(study.store.study(FOLDER) / "events.jsonl", line)
    assert study.state() == "queued"


def test_fields_of_a_later_version_are_passed_over(study: Study) -> None:
    """A record that a newer process wrote, as during an update, still folds."""
    ready = {"study": FOLDER, "revision": 1, "urgency": "high"}
    study.noted("selected", reason="", objects=[ONE], ready=ready, revision=1)
    study.noted(
        "reported", revision=1, deliveries=[{"study": FOLDER, "revision": 1, "destination": "pacs", "colour": 1}]
    )
    assert [ready.revision for ready in study.record().readies] == [1]
    assert study.record().destinations == ("pacs",)


@cache
def history() -> tuple[str, ...]:
    """Return the lines of everything that two routers and two senders may write about one revision."""
    with fresh_study() as study:
        study.selected(1, ONE)
        study.noted("reading", revision=1)
        study.noted("reading", revision=1)
        study.noted("parked", stage="read", revision=1, reason="it took its worker down 3 times")
        study.reported(1, "pacs", "viewer")
        study.reported(1, "pacs", "viewer")
        study.noted("parked", stage="send", destination="pacs", revision=1, reason="away")
        return tuple((study.store.study(FOLDER) / "events.jsonl").read_text().splitlines())


@given(seed=st.integers(), acknowledged=st.sets(st.sampled_from(["pacs", "viewer"])))
def test_the_order_of_what_workers_write_at_once_does_not_matter(seed: int, acknowledged: set[str]) -> None:
    """Lines of one revision, in any order, fold to one state; what the destinations acknowledged decides it."""
    with fresh_study() as study:
        lines = list(history())
        random.Random(seed).shuffle(lines)
        (study.store.study(FOLDER) / "events.jsonl").write_text("\n".join(lines) + "\n")
        for name in acknowledged:
            study.acknowledged(1, name)
        expected = "delivering" if "viewer" not in acknowledged else "delivered" if len(acknowledged) == 2 else "parked"
        assert study.state() == expected


@given(repeats=st.lists(st.integers(min_value=0, max_value=2), min_size=7, max_size=7), cut=st.integers(min_value=0))
def test_repeats_and_torn_tails_never_leave_a_study_without_a_state(repeats: list[int], cut: int) -> None:
    """Any line may be repeated, and the file cut anywhere: the fold gives a state, and an end gives a reason."""
    with fresh_study() as study:
        lines = [line for line, more in zip(history(), repeats, strict=True) for _ in range(1 + more)]
        events = study.store.study(FOLDER) / "events.jsonl"
        written = ("\n".join(lines) + "\n").encode()
        events.write_bytes(written[: cut % (len(written) + 1)])
        outcome = study.record().outcome
        assert outcome.state in {"receiving", "queued", "reading", "delivering", "parked"}
        assert bool(outcome.reason) == (outcome.state in ENDS)


def test_an_event_says_when(study: Study) -> None:
    """Every line of the record carries its time, and protobuf messages are plain JSON in it."""
    study.selected(1, ONE)
    (line,) = (study.store.study(FOLDER) / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["at"] > 0
    assert json.loads(line)["ready"] == {"study": FOLDER, "revision": 1}
