"""What is parked comes back to its work when a person says so."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.builders import OTHER_PATIENT, scan, study_uid
from tests.pacs import SUCCESS, Pacs
from tests.stack import CONFIGURATION, EXAMPLES, SCINTIFLOW, Stack, copies, running_stack, send
from tests.waiting import wait_for

REFUSED = 0xC000


@pytest.fixture(scope="module")
def fussy() -> Iterator[Pacs]:
    """A PACS that refuses everything until it is told otherwise."""
    with Pacs(answer=lambda uid: REFUSED) as pacs:
        yield pacs


@pytest.fixture(scope="module")
def impatient(fussy: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation whose sender does not wait long."""
    rules = CONFIGURATION.format(port=fussy.port)
    folder = tmp_path_factory.mktemp("replay")
    with running_stack(folder, rules, SCINTIFLOW_SENDER_RETRY_FIRST_SECONDS="0.2") as stack:
        yield stack


def replay(stack: Stack, uid: str) -> None:
    """A person asks to try again."""
    subprocess.run([SCINTIFLOW, "parked", "replay", uid], check=True, env=stack.environment)


def test_a_refused_result_is_delivered_once_after_a_replay(fussy: Pacs, impatient: Stack) -> None:
    """Results that a destination refused are parked; after a replay they arrive, with the same bytes, once."""
    (study,) = copies(EXAMPLES, 1)
    assert send(impatient.dicom_port, [study]) == [SUCCESS]
    parked = impatient.outcome(study.StudyInstanceUID)
    assert (parked.state, "C000" in parked.reason) == ("parked", True)
    fussy.answer = lambda uid: SUCCESS
    replay(impatient, study.StudyInstanceUID)
    wait_for(lambda: impatient.outcome(study.StudyInstanceUID).state == "delivered", seconds=30, every=0.2)
    assert sorted(result.Modality for result in fussy.of_study(study.StudyInstanceUID)) == ["OT", "SR"]
    assert len(fussy.received) == 2


def test_a_conflict_is_decided_again_after_a_replay(impatient: Stack) -> None:
    """A study with two patients is parked, and judged anew when it is replayed: the same objects, the same reason."""
    uid = study_uid("two patients in one study")
    two = [scan(study_uid=uid), scan(study_uid=uid, patient=OTHER_PATIENT)]
    assert send(impatient.dicom_port, two) == [SUCCESS, SUCCESS]
    first = wait_for(lambda: parking(impatient, uid), seconds=30)
    replay(impatient, uid)
    again = wait_for(lambda: [event for event in parking(impatient, uid) if event not in first], seconds=30)
    assert again[0]["reason"] == first[0]["reason"]
    assert impatient.outcome(uid).state == "parked"


def parking(stack: Stack, uid: str) -> list[dict[str, object]]:
    """The events that park the study."""
    return [dict(event) for event in stack.record(uid).parked]
