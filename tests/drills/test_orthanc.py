"""A PACS with an auto-forward rule: whole studies come, results go back, and the loop ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from tests.orthanc import Orthanc, running_orthanc
from tests.ports import free_port
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack
from tests.waiting import wait_for

TIMES = 10
RESULTS = 2


def mixed_study(scan: Dataset) -> list[Dataset]:
    """A bone scan with what else a PACS holds in the same study: a dose report, a CT and a static view."""
    others = [dcmread(get_testdata_file(name, download=False)) for name in ("test-SR.dcm", "CT_small.dcm")]
    static = dcmread(EXAMPLES[0])
    static.ImageType = ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]
    for other in (*others, static):
        other.PatientID, other.PatientName = scan.PatientID, scan.PatientName
        other.PatientBirthDate, other.PatientSex = scan.PatientBirthDate, scan.PatientSex
        other.StudyInstanceUID, other.SeriesInstanceUID = scan.StudyInstanceUID, generate_uid()
        other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return [scan, *others, static]


@pytest.mark.peers
def test_a_pacs_that_forwards_our_results_back_to_us_gets_nothing_new(
    tmp_path: Path, peer: Callable[[str], str]
) -> None:
    """Orthanc forwards a mixed study, gets its results, forwards those to us too, and it ends there; ten times."""
    program, port = peer("/usr/sbin/Orthanc"), free_port()
    quick = {"SCINTIFLOW_KEEPER_QUIET_SECONDS": "1"}
    with (
        running_stack(tmp_path / "stack", CONFIGURATION.format(port=port), **quick) as stack,
        running_orthanc(
            program, tmp_path / "pacs", scintiflow_port=stack.dicom_port, ae_title="PACS", dicom_port=port
        ) as orthanc,
    ):
        for turn, scan in enumerate(copies(EXAMPLES, TIMES), start=1):
            once_round(stack, orthanc, mixed_study(scan), forwards=2 * turn)


def once_round(stack: Stack, orthanc: Orthanc, study: list[Dataset], forwards: int) -> None:
    """Upload a study, wait until its results have come back to us, and look that it ends there."""
    uid = study[0].StudyInstanceUID
    for dataset in study:
        orthanc.upload(dataset)
    wait_for(lambda: len(orthanc.objects(uid)) == len(study) + RESULTS, seconds=90, every=0.2)
    wait_for(lambda: len(stack.record(uid).objects) == len(study) + RESULTS, seconds=90, every=0.2)
    wait_for(lambda: stack.record(uid).events[-1]["event"] == "unchanged", seconds=90, every=0.2)
    wait_for(lambda: orthanc.forwarded() >= forwards, seconds=90, every=0.2)
    assert stack.outcome(uid).state == "delivered"
    assert len(stack.record(uid).readies) == 1, "no revision"
    assert len(orthanc.objects(uid)) == len(study) + RESULTS, "nothing new at the PACS"
