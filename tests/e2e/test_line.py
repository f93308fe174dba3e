"""The line with the models that ship: a bone scan from the PACS comes back as DICOM results of each."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from scintiflow.inference.manifest import discover
from tests import dciodvfy
from tests.pacs import Pacs
from tests.stack import CONFIGURATION, EXAMPLES, SCINTIFLOW, SHIPPED, Stack, copies, running_stack, send
from tests.unit.results.template import walk
from tests.waiting import wait_for

DISCLAIMER = "AI result, not for diagnostic use, research only"
MODELS = discover(SHIPPED)


@pytest.fixture(scope="module")
def stack(pacs: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation with the models that ship."""
    folder = tmp_path_factory.mktemp("shipped")
    with running_stack(folder, CONFIGURATION.format(port=pacs.port), models=SHIPPED) as stack:
        yield stack


def scintiflow(stack: Stack, *arguments: str) -> Any:
    """Run a command with --json and return what it prints."""
    command = [SCINTIFLOW, *arguments, "--json"]
    return json.loads(subprocess.run(command, env=stack.environment, capture_output=True, check=True).stdout)


@pytest.fixture(scope="module")
def example(stack: Stack, pacs: Pacs) -> Dataset:
    """An example scan that has been round the whole line."""
    scan = copies(EXAMPLES, 1)[0]
    assert send(stack.dicom_port, [scan]) == [0x0000]
    assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
    return scan


def test_a_scan_comes_back_as_report_and_picture_in_its_own_study(pacs: Pacs, example: Dataset) -> None:
    """Each model's two results carry patient, accession number and study of the scan, and the disclaimer."""
    results = pacs.of_study(example.StudyInstanceUID)
    reports = [result for result in results if result.Modality == "SR"]
    assert sorted(result.Modality for result in results) == ["OT"] * len(MODELS) + ["SR"] * len(MODELS)
    for result in results:
        assert (result.PatientID, result.PatientName) == (example.PatientID, example.PatientName)
        assert result.AccessionNumber == example.AccessionNumber
    for report in reports:
        assert any(DISCLAIMER in item.value for item in report.iterall() if item.keyword == "TextValue")


def test_the_report_keeps_its_template(pacs: Pacs, example: Dataset) -> None:
    """What the PACS received walks TIDs 1500, 1501, 1600 and 4019 without a fault."""
    reports = [result for result in pacs.of_study(example.StudyInstanceUID) if result.Modality == "SR"]
    assert [walk(report) for report in reports] == [[]] * len(MODELS)


@pytest.mark.peers
def test_dciodvfy_finds_no_error_in_what_the_pacs_received(
    pacs: Pacs, example: Dataset, tmp_path: Path, peer: Callable[[str], str]
) -> None:
    """Report and picture are clean as they arrive."""
    for result in pacs.of_study(example.StudyInstanceUID):
        assert dciodvfy.errors(peer("/usr/bin/dciodvfy"), result, tmp_path) == []


def test_sending_a_study_twice_leaves_one_result_series_of_each_kind(
    stack: Stack, pacs: Pacs, example: Dataset
) -> None:
    """The same study again makes nothing new: the PACS holds the same bytes as before."""
    before = dict(pacs.objects)
    transmissions = len(pacs.received)
    assert send(stack.dicom_port, [example]) == [0x0000]
    assert send(stack.dicom_port, [example]) == [0x0000]
    again = copies(EXAMPLES, 1)[0]
    assert send(stack.dicom_port, [again]) == [0x0000]
    stack.outcome(again.StudyInstanceUID)
    results = pacs.of_study(example.StudyInstanceUID)
    assert (len(results), len({result.SeriesInstanceUID for result in results})) == (2 * len(MODELS), 2)
    assert {uid: pacs.objects[uid] for uid in before} == before
    assert len(pacs.received) == transmissions + 2 * len(MODELS), "only the other study was sent"


def test_the_real_nema_scan_is_read_as_far_as_its_one_view_allows(stack: Stack, pacs: Pacs) -> None:
    """One anterior view, and a blur of it at 2,097:1: no pair; who needs both views says so, and nothing is guessed."""
    files = [Path(get_testdata_file(name, download=False)) for name in ("JPGExtended.dcm", "JPEG2000.dcm")]
    uid = dcmread(files[0]).StudyInstanceUID
    assert send(stack.dicom_port, files) == [0x0000, 0x0000]
    content = {model.name for model in MODELS if "posterior" not in model.requires}
    assert stack.outcome(uid).state == ("delivered" if content else "incomplete")
    assert len(pacs.of_study(uid)) == 2 * len(content)
    findings = {finding["model"]: finding for finding in scintiflow(stack, "studies", uid)[0]["findings"]}
    assert {name for name, finding in findings.items() if finding["status"] == "assessed"} == content
    for name in findings.keys() - content:
        assert findings[name]["reason"] == "posterior view missing"
        assert findings[name]["probability"] is None
    assert "2097:1" in (stack.store.study(stack.record(uid).folder) / "events.jsonl").read_text()


def test_studies_tells_what_became_of_a_scan(stack: Stack, example: Dataset) -> None:
    """The command's JSON has the shape that scripts rely on."""
    study = scintiflow(stack, "studies", example.StudyInstanceUID)[0]
    assert set(study) == {
        "study_uid", "state", "reason", "findings", "destinations", "received_at", "seconds"
    }  # fmt: skip
    assert (study["study_uid"], study["state"]) == (example.StudyInstanceUID, "delivered")
    assert study["destinations"] == [{"name": "pacs", "state": "delivered"}]
    assert [finding["model"] for finding in study["findings"]] == [model.name for model in MODELS]
    for finding in study["findings"]:
        assert set(finding) == {
            "model", "version", "digest", "status", "reason", "label", "probability", "threshold", "positive",
            "engine", "precision",
        }  # fmt: skip
        assert finding["status"] == "assessed"
    assert 0 < study["seconds"] < 60


def test_status_tells_that_everything_is_well(stack: Stack) -> None:
    """Every process is alive and ready, no work is stuck, and the engine in use is named."""
    status = scintiflow(stack, "status")
    assert {process["name"] for process in status["processes"]} >= {
        "receiver",
        "keeper",
        "router",
        "classifier",
        "sender",
    }
    assert all(process["alive"] and process["ready"] for process in status["processes"])
    assert {stream["name"] for stream in status["streams"]} >= {"ready", "results:pacs"}
    assert [engine["model"] for engine in status["engines"]] == [model.name for model in MODELS]
    assert status["disk"]["free_bytes"] > 0


def test_every_process_exports_its_metrics_and_no_identity(stack: Stack, example: Dataset) -> None:
    """Latency is measured stage by stage and end to end, and no UID or name is in any label."""
    pages = {name: httpx.get(f"http://127.0.0.1:{port}/metrics").text for name, port in stack.ports.items()}
    for series in (
        ("receiver", "scintiflow_receiver_objects_total"),
        ("keeper", "scintiflow_keeper_gather_seconds_bucket"),
        ("keeper", "scintiflow_keeper_queue_oldest_seconds"),
        ("router", 'scintiflow_router_stage_seconds_bucket{le="0.1",stage="classify"}'),
        ("classifier", "scintiflow_classifier_"),
        ("sender", "scintiflow_sender_end_to_end_seconds_bucket"),
    ):
        assert series[1] in pages[series[0]], series
    everything = "\n".join(pages.values())
    for identity in (example.StudyInstanceUID, example.PatientID, str(example.PatientName)):
        assert identity not in everything


def test_no_identity_reaches_the_log(stack: Stack, example: Dataset) -> None:
    """The log of a day of work names no patient and no UID."""
    wait_for(lambda: "delivered" in stack.log.read_text())
    log = stack.log.read_text()
    for identity in (example.StudyInstanceUID, example.SOPInstanceUID, example.PatientID, str(example.PatientName)):
        assert identity not in log
