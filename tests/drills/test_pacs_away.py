"""A PACS administrator unplugs the PACS for a night and finds every result delivered in the morning, once."""

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scintiflow.dicom.identity import study_folder
from scintiflow.records import read_record
from tests.deliveries import reported
from tests.fault_proxy import FaultProxy
from tests.pacs import SUCCESS, Pacs
from tests.stack import EXAMPLES, SCINTIFLOW, Stack, copies, running_stack, send
from tests.waiting import wait_for

RULES = """
[[allow]]
ae_title = "PACS"

[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {pacs}
synthetic = "too"

[[destinations]]
name = "archive"
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {archive}
synthetic = "too"
"""
STUDIES = 6
RESULTS_A_STUDY = 2
SCALE = 2_000
"""How much faster the sender's patience passes than in a hospital: ten minutes in 0.3 s, a night in 20 s."""
NIGHT_SECONDS = 11 * 3_600 / SCALE
PATIENCE = {
    "SCINTIFLOW_SENDER_RETRY_FIRST_SECONDS": str(30 / SCALE),
    "SCINTIFLOW_SENDER_RETRY_CAP_SECONDS": str(600 / SCALE),
    "SCINTIFLOW_SENDER_TIMEOUT_SECONDS": "1",
}


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    """The PACS of the hospital."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture(scope="module")
def archive() -> Iterator[Pacs]:
    """Another destination, always well."""
    with Pacs(ae_title="ARCHIVE") as archive:
        yield archive


@pytest.fixture(scope="module")
def cable(pacs: Pacs) -> Iterator[FaultProxy]:
    """The cable between us and the PACS."""
    with FaultProxy(pacs.port) as cable:
        yield cable


@pytest.fixture(scope="module")
def stack(cable: FaultProxy, archive: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation with both destinations."""
    rules = RULES.format(pacs=cable.port, archive=archive.port)
    with running_stack(tmp_path_factory.mktemp("away"), rules, **PATIENCE) as stack:
        yield stack


def test_a_night_without_the_pacs_costs_nobody_a_result(
    stack: Stack, cable: FaultProxy, pacs: Pacs, archive: Pacs
) -> None:
    """In the morning every result is there once; the archive had them in the evening; nothing was parked."""
    studies = copies(EXAMPLES, STUDIES)
    morning = time.monotonic() + NIGHT_SECONDS
    for number, study in enumerate(studies):
        cable.become(**({"hang_at": 0} if number % 2 else {"refuse": True}))
        assert send(stack.dicom_port, [study]) == [SUCCESS]
    wait_for(lambda: len(archive.objects) == STUDIES * RESULTS_A_STUDY, seconds=60)
    for loose in ({"hang_at": 200}, {"reset_at": 150}, {"direction": "asked", "cut_at": 5_000}):
        cable.become(**loose)
        wait_for(partial(_tried, cable, cable.connections + 3), seconds=30)
    cable.become(refuse=True)
    wait_for(lambda: time.monotonic() > morning, seconds=NIGHT_SECONDS + 1)
    assert pacs.objects == {}
    assert all(stack.record(study.StudyInstanceUID).outcome.state == "delivering" for study in studies)
    cable.become()
    assert {stack.outcome(study.StudyInstanceUID, seconds=30).state for study in studies} == {"delivered"}
    for study in studies:
        assert sorted(result.Modality for result in pacs.of_study(study.StudyInstanceUID)) == ["OT", "SR"]
    assert len(set(pacs.received)) == len(pacs.objects) == STUDIES * RESULTS_A_STUDY, "one instance, one content"


def test_a_destination_that_crawls_holds_no_other_up(stack: Stack, cable: FaultProxy, archive: Pacs) -> None:
    """While the PACS takes 1 kB a second the archive gets its results within seconds, and then the PACS does."""
    (study,) = copies(EXAMPLES, 1)
    cable.become(rate=1_000.0)
    assert send(stack.dicom_port, [study]) == [SUCCESS]
    wait_for(lambda: len(archive.of_study(study.StudyInstanceUID)) == RESULTS_A_STUDY, seconds=20)
    assert stack.record(study.StudyInstanceUID).outcome.state == "delivering"
    cable.become()
    assert stack.outcome(study.StudyInstanceUID, seconds=60).state == "delivered"


@pytest.mark.parametrize("days", [3.0, 6.9])
def test_results_that_waited_for_days_are_delivered_once(
    stack: Stack, cable: FaultProxy, pacs: Pacs, days: float
) -> None:
    """72 hours or 6.9 days after they were ready, results still wait for the PACS and arrive when it is back."""
    folder = study_folder(f"1.2.3.{days:g}")
    cable.become(refuse=True)
    ready = reported(stack.store, folder, kinds=("report", "picture"), days_ago=days)
    tries = _waits(stack)
    wait_for(lambda: _waits(stack) > tries + 3, seconds=30)
    assert read_record(stack.store, folder).destination_state("pacs") == "delivering"
    cable.become()
    wait_for(lambda: read_record(stack.store, folder).destination_state("pacs") == "delivered", seconds=20)
    uids = [result.sop_instance_uid for result in ready.results]
    assert sorted(uid for uid, _ in set(pacs.received) if uid in uids) == sorted(uids), "one instance, one content"


def test_more_than_a_week_asks_a_person_and_a_replay_delivers(stack: Stack, cable: FaultProxy, pacs: Pacs) -> None:
    """After seven days the study is parked with the sentence; when the PACS is back, a replay brings it there."""
    uid = "1.2.3.8"
    cable.become(refuse=True)
    ready = reported(stack.store, study_folder(uid), days_ago=7.1)
    assert stack.outcome(uid).reason.startswith("pacs was away for 7 days:")
    cable.become()
    subprocess.run([SCINTIFLOW, "parked", "replay", uid], check=True, env=stack.environment)
    wait_for(lambda: stack.record(uid).outcome.state == "delivered", seconds=30)
    assert [sent for sent, _ in pacs.received if sent == ready.results[0].sop_instance_uid] != []


def _tried(cable: FaultProxy, times: int) -> bool:
    return cable.connections >= times


def _waits(stack: Stack) -> int:
    return Path(stack.log).read_text().count("queue=results:pacs")
