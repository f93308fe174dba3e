"""Two models read each study: what both say arrives, and where one cannot read, the other one's results say so."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from tests import dciodvfy
from tests.builders import POSTERIOR, one_view, study_uid
from tests.graphs import skeleton_and_heart
from tests.pacs import Pacs
from tests.stack import CONFIGURATION, EXAMPLES, SCINTIFLOW, Stack, copies, running_stack, send
from tests.unit.results.template import walk


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    """A PACS that takes everything."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture(scope="module")
def stack(pacs: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation with a model that needs both views, and one for the heart that needs the anterior view alone."""
    folder = tmp_path_factory.mktemp("two")
    models = skeleton_and_heart(folder / "models")
    with running_stack(folder, CONFIGURATION.format(port=pacs.port), models=models) as stack:
        yield stack


@pytest.fixture(scope="module")
def nema(stack: Stack) -> str:
    """The study of the real NEMA scan, sent with the blur of it: one anterior view, and a header that says little."""
    files = [Path(get_testdata_file(name, download=False)) for name in ("JPGExtended.dcm", "JPEG2000.dcm")]
    assert send(stack.dicom_port, files) == [0x0000, 0x0000]
    uid = str(dcmread(files[0]).StudyInstanceUID)
    assert stack.outcome(uid).state == "delivered"
    return uid


def shown(stack: Stack, uid: str) -> dict[str, Any]:
    """What `scintiflow studies --json` says of a study."""
    command = [SCINTIFLOW, "studies", uid, "--json"]
    (study,) = json.loads(subprocess.run(command, env=stack.environment, capture_output=True, check=True).stdout)
    return study


def sentences(report: Dataset) -> str:
    """What a report says in words."""
    return "\n".join(item.value for item in report.iterall() if item.keyword == "TextValue")


def test_both_answer_a_scan_with_both_views(stack: Stack, pacs: Pacs) -> None:
    """Four results come back, two reports in one series and two pictures in another, and both findings are listed."""
    (scan,) = copies(EXAMPLES, 1)
    assert send(stack.dicom_port, [scan]) == [0x0000]
    assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
    results = pacs.of_study(scan.StudyInstanceUID)
    series = {(result.Modality, result.SeriesInstanceUID) for result in results}
    assert sorted(modality for modality, _ in series) == ["OT", "SR"]
    assert sorted(result.Modality for result in results) == ["OT", "OT", "SR", "SR"]
    found = shown(stack, scan.StudyInstanceUID)["findings"]
    assert [(one["model"], one["label"], one["status"]) for one in found] == [
        ("heart", "cardiac uptake", "assessed"),
        ("skeleton", "bone metastases", "assessed"),
    ]


def test_a_real_scan_of_one_view_is_answered_for_the_heart(stack: Stack, pacs: Pacs, nema: str) -> None:
    """One report and one picture, whose words name the model that could not read it and every doubt about the scan."""
    report, picture = sorted(pacs.of_study(nema), key=lambda result: result.Modality == "OT")
    assert (report.Modality, picture.Modality) == ("SR", "OT")
    said = sentences(report)
    assert "skeleton: not assessed: posterior view missing." in said
    assert "Only the anterior view was read." in said
    assert "Tracer unknown: " in said
    assert "Lossy image: the scan was compressed with loss at 76:1." in said
    assert picture.LossyImageCompression == "01"
    assert "over the scan (anterior), beside" in picture.DerivationDescription
    meanings = {item.value for item in report.iterall() if item.keyword == "CodeMeaning"}
    assert {"Perugini grade 2 or 3", "Heart"} <= meanings
    assert "Bony metastasis" not in meanings


def test_studies_tells_who_could_not_read_it(stack: Stack, nema: str) -> None:
    """The study is delivered, with one finding assessed and the other not, and the blur is declined by its ratio."""
    study = shown(stack, nema)
    assert study["state"] == "delivered"
    heart, skeleton = study["findings"]
    assert (heart["status"], heart["reason"]) == ("assessed", None)
    assert 0 < heart["probability"] < 1
    assert (skeleton["status"], skeleton["reason"]) == ("not_assessed", "posterior view missing")
    assert (skeleton["probability"], skeleton["positive"]) == (None, None)
    assert "2097:1" in " ".join(stack.record(nema).declined.values())


def test_the_report_of_one_view_keeps_its_template(pacs: Pacs, nema: str) -> None:
    """It walks TIDs 1500, 1501, 1600 and 4019 without a fault."""
    report = next(result for result in pacs.of_study(nema) if result.Modality == "SR")
    assert walk(report) == []


@pytest.mark.peers
def test_dciodvfy_finds_no_error_in_the_results_of_one_view(
    pacs: Pacs, nema: str, tmp_path: Path, peer: Callable[[str], str]
) -> None:
    """Report and picture of a lossy Secondary Capture with a private question are clean as they arrive."""
    for result in pacs.of_study(nema):
        assert dciodvfy.errors(peer("/usr/bin/dciodvfy"), result, tmp_path) == []


def test_a_view_that_neither_can_read_is_incomplete(stack: Stack, pacs: Pacs) -> None:
    """A posterior view alone: both say what they miss, and nothing is sent."""
    uid = study_uid("posterior alone")
    assert send(stack.dicom_port, [one_view(POSTERIOR, study_uid=uid)]) == [0x0000]
    outcome = stack.outcome(uid)
    assert (outcome.state, outcome.reason) == (
        "incomplete",
        "heart not assessed: anterior view missing; skeleton not assessed: anterior view missing",
    )
    assert pacs.of_study(uid) == []
