"""The probe goes round a whole installation, and leaves no trace of itself where clinical work is seen or counted."""

from collections.abc import Iterator

import httpx
import pytest
from pydicom import Dataset

from scintiflow.config import PORTS
from scintiflow.records import read_record
from tests.pacs import Pacs
from tests.stack import CLINIC_AND_RESEARCH, EXAMPLES, Stack, copies, running_stack, send
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def archives() -> Iterator[tuple[Pacs, Pacs]]:
    """A clinical archive, and one that takes results of synthetic studies too."""
    with Pacs(ae_title="CLINIC") as clinic, Pacs(ae_title="RESEARCH") as research:
        yield clinic, research


@pytest.fixture(scope="module")
def stack(archives: tuple[Pacs, Pacs], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation with a probe that hardly rests."""
    clinic, research = archives
    rules = CLINIC_AND_RESEARCH.format(clinic=clinic.port, research=research.port)
    with running_stack(tmp_path_factory.mktemp("probed"), rules, SCINTIFLOW_PROBE_INTERVAL_SECONDS="0.5") as stack:
        yield stack


def metrics(stack: Stack, process: str) -> dict[str, float]:
    """Return what a process counts, by series."""
    text = httpx.get(f"http://127.0.0.1:{PORTS[process] + stack.offset}/metrics", timeout=30).text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def returned(stack: Stack) -> float:
    """Return how many of the probe's scans have come back."""
    return metrics(stack, "probe").get('scintiflow_probe_rounds_total{outcome="returned"}', 0.0)


@pytest.fixture(scope="module")
def scan(stack: Stack) -> Dataset:
    """A scan of somebody else that went round between scans of the probe, of which two came back."""
    wait_for(lambda: stack.ready("probe") and returned(stack) >= 1, seconds=60)
    (scan,) = copies(EXAMPLES, 1)
    assert send(stack.dicom_port, [scan]) == [0x0000]
    assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
    before = returned(stack)
    wait_for(lambda: returned(stack) > before, seconds=60)
    return scan


def test_a_report_on_the_probes_scan_comes_back(stack: Stack, scan: Dataset) -> None:
    """The probe counts the way round and how long it took, and says when the last one came back."""
    told = metrics(stack, "probe")
    assert 0 < told["scintiflow_probe_round_seconds_sum"] < 60 * told["scintiflow_probe_round_seconds_count"]
    assert told["scintiflow_probe_returned_timestamp_seconds"] > stack.record(scan.StudyInstanceUID).came
    assert told["scintiflow_probe_interval_seconds"] == 0.5


def test_nobody_else_gets_results_of_the_probe(stack: Stack, archives: tuple[Pacs, Pacs], scan: Dataset) -> None:
    """No archive sees it, not even one that takes synthetic studies, and the probe gets nothing but its own."""
    clinic, research = archives
    assert clinic.received == []
    assert {result.StudyInstanceUID for result in research.datasets()} == {scan.StudyInstanceUID}
    assert stack.record(scan.StudyInstanceUID).destinations == ("research",)
    records = [read_record(stack.store, folder) for folder in stack.store.studies()]
    probes = [record for record in records if record.is_probe and record.outcome.state == "delivered"]
    assert {record.destinations for record in probes} == {("probe",)}


def test_the_probe_counts_as_nobodys_study(stack: Stack, scan: Dataset) -> None:
    """Studies by state and outcome, findings, answers, promptness and end-to-end times are those of others."""
    wait_for(lambda: metrics(stack, "keeper")['scintiflow_keeper_studies{state="delivered"}'] == 1, seconds=30)
    keeper, router, sender = (metrics(stack, name) for name in ("keeper", "router", "sender"))
    assert router['scintiflow_router_studies_total{outcome="reported"}'] == 1
    assert sum(value for series, value in router.items() if "answers_total" in series) == 1
    assert keeper['scintiflow_keeper_results_due_total{destination="research",outcome="in_time"}'] <= 1
    assert not [series for series in keeper if 'results_due_total{destination="probe"' in series]
    assert not [series for series in sender if 'end_to_end_seconds_count{destination="probe"' in series]
    assert sender['scintiflow_sender_results_total{destination="probe",outcome="delivered"}'] >= 2
