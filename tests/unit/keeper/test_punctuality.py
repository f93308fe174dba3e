"""Whether results are in time: told once, and a study that never finishes is late."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from scintiflow.config import Destination
from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.keeper.punctuality import Punctuality, Verdict
from scintiflow.records import Record

FOLDER, STORED = "0" * 32, 1_000.0


def destination(name: str, synthetic: str = "too") -> Destination:
    """A destination of this name."""
    return Destination.model_validate(
        {"name": name, "ae_title": "PACS", "host": "127.0.0.1", "port": 104, "synthetic": synthetic}
    )


def message(of: Any) -> dict[str, Any]:
    """A contract message as it lies in a record."""
    return MessageToDict(of, preserving_proto_field_name=True)


def record(*events: dict[str, Any], **acknowledged: float) -> Record:
    """A study whose scan was stored at STORED; `acknowledged` are times by destination."""
    ready = StudyReady(study=FOLDER, revision=1, last_stored_at=STORED, synthetic=True)
    selected = {"event": "selected", "at": STORED, "objects": ["aa"], "ready": message(ready), "revision": 1}
    delivered = {name: {"r1-model-report": at} for name, at in acknowledged.items()}
    return Record(FOLDER, {"aa": STORED}, (selected, *events), delivered, came=STORED)


def reported(*names: str) -> dict[str, Any]:
    """The event that says who gets its one result."""
    results = [Result(name="r1-model-report")]
    to = [message(ResultReady(study=FOLDER, revision=1, destination=name, results=results)) for name in names]
    return {"event": "reported", "at": STORED + 1, "revision": 1, "deliveries": to}


def ended(event: str) -> dict[str, Any]:
    """The event of an end without results."""
    return {"event": event, "at": STORED + 1, "revision": 1, "reason": "", "stage": "read"}


def judge(of: Record, now: float, *destinations: Destination, active_since: float = 0.0) -> dict[str, Verdict]:
    """What a keeper tells at `now`, where 60 s are allowed."""
    punctuality = Punctuality(destinations or [destination("pacs")], 60.0)
    punctuality.begin(active_since)
    return punctuality.judge(of, now)


def test_the_probe_is_nobodys_promise() -> None:
    """A scan that the probe sent is judged by the probe alone, come what may."""
    (selected, *_), probe = record().events, {"study": FOLDER, "revision": 1, "synthetic": True, "probe": True}
    sent = Record(FOLDER, {"aa": STORED}, ({**selected, "ready": probe},), {}, came=STORED)
    assert judge(sent, STORED + 500, destination("probe"), destination("pacs")) == {}


@pytest.mark.parametrize(("took", "verdict"), [(3.0, "in_time"), (60.0, "in_time"), (61.0, "late")])
def test_a_delivered_study_is_judged_by_when_it_was_acknowledged(took: float, verdict: Verdict) -> None:
    """The moment of the keeper's look does not count."""
    delivered = record(reported("pacs"), pacs=STORED + took)
    assert judge(delivered, STORED + 500) == {"pacs": verdict}


@pytest.mark.parametrize("events", [(), (ended("reading"),), (reported("pacs"),), (ended("parked"),)])
def test_a_study_that_never_finishes_is_late_when_its_time_is_over(events: tuple[dict[str, Any], ...]) -> None:
    """Wherever it stopped, nothing is told before, and late after."""
    assert judge(record(*events), STORED + 59) == {}
    assert judge(record(*events), STORED + 61) == {"pacs": "late"}


@pytest.mark.parametrize("event", ["read", "incomplete", "declined"])
def test_a_study_without_results_to_send_is_not_judged(event: str) -> None:
    """An end that owes nobody a result is neither in time nor late."""
    assert judge(record(ended(event)), STORED + 500) == {}


def test_each_destination_is_judged_by_itself() -> None:
    """A dead neighbour is late, and the other one is not."""
    half = record(reported("pacs", "research"), pacs=STORED + 2)
    both = (destination("pacs"), destination("research"))
    assert judge(half, STORED + 3, *both) == {"pacs": "in_time"}
    assert judge(half, STORED + 61, *both) == {"pacs": "in_time", "research": "late"}


def test_a_destination_that_takes_no_synthetic_scans_is_not_owed_one() -> None:
    """Before results are made, those who may get them are the ones who wait."""
    takers = (destination("pacs", "no"), destination("probe", "only"))
    assert judge(record(), STORED + 61, *takers) == {"probe": "late"}


def test_a_study_is_told_once() -> None:
    """However often the keeper looks, and though a late study is delivered in the end."""
    punctuality = Punctuality([destination("pacs")], 60.0)
    assert punctuality.judge(record(), STORED + 61) == {"pacs": "late"}
    assert punctuality.judge(record(), STORED + 66) == {}
    assert punctuality.judge(record(reported("pacs"), pacs=STORED + 70), STORED + 71) == {}


def test_what_ended_before_a_keeper_was_active_was_another_ones_to_tell() -> None:
    """A restart or a take-over counts no delivered study twice; what is open and overdue then counts as late."""
    assert judge(record(reported("pacs"), pacs=STORED + 2), STORED + 500, active_since=STORED + 400) == {}
    assert judge(record(), STORED + 500, active_since=STORED + 400) == {"pacs": "late"}
