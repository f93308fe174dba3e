"""What the NM objects that we write promise."""

from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from scintiflow.dicom.writing import Patient, whole_body_image
from tests import dciodvfy

PATIENT = Patient("Simulated^Patient", "SIM-0001", date(1950, 2, 28), "F")
ACQUIRED_AT = datetime(2025, 3, 1, 1, 30)  # early enough for the injection to be on the day before


@pytest.fixture
def counts() -> NDArray[np.uint16]:
    """Two frames of a 1024 x 256 scan."""
    return np.random.default_rng(7).poisson(4, (2, 1024, 256)).astype(np.uint16)


@pytest.mark.peers
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless, RLELossless], ids=lambda uid: uid.name)
@pytest.mark.parametrize("angles", [(180.0, 0.0), (180.0,)], ids=["two frames", "one frame"])
def test_dciodvfy_finds_no_error(
    counts: NDArray[np.uint16], tmp_path: Path, peer: Callable[[str], str], syntax: UID, angles: tuple[float, ...]
) -> None:
    """The object is a strict NM image by dciodvfy, which is too old to know Synthetic Data (0008,001C)."""
    image = whole_body_image(
        counts[: len(angles)],
        patient=PATIENT,
        acquired_at=ACQUIRED_AT,
        start_angles=angles,
        synthetic=True,
        transfer_syntax=syntax,
    )
    assert dciodvfy.errors(peer("/usr/bin/dciodvfy"), image, tmp_path) == []


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless, RLELossless], ids=lambda uid: uid.name)
def test_every_count_survives_the_file(counts: NDArray[np.uint16], syntax: UID) -> None:
    """Reading the file back gives exactly the counts that were written."""
    file = BytesIO()
    image = whole_body_image(counts, patient=PATIENT, acquired_at=ACQUIRED_AT, transfer_syntax=syntax)
    image.save_as(file, enforce_file_format=True)
    file.seek(0)
    again = dcmread(file)
    assert again.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(again.pixel_array, counts)
    assert again.CountsAccumulated == counts.sum()


def test_same_arguments_same_bytes(counts: NDArray[np.uint16]) -> None:
    """An object can be rebuilt bit by bit, and other pixels make another instance of the same study."""
    files = [BytesIO(), BytesIO()]
    for file in files:
        whole_body_image(counts, patient=PATIENT, acquired_at=ACQUIRED_AT).save_as(file, enforce_file_format=True)
    assert files[0].getvalue() == files[1].getvalue()
    one = whole_body_image(counts, patient=PATIENT, acquired_at=ACQUIRED_AT)
    other = whole_body_image(counts + 1, patient=PATIENT, acquired_at=ACQUIRED_AT)
    assert one.StudyInstanceUID == other.StudyInstanceUID
    assert one.SOPInstanceUID != other.SOPInstanceUID


def test_age_counts_birthdays(counts: NDArray[np.uint16]) -> None:
    """The age is the number of birthdays passed on the day of the scan."""
    on_the_day_before = whole_body_image(counts, patient=PATIENT, acquired_at=datetime(2025, 2, 27, 12))
    after = whole_body_image(counts, patient=PATIENT, acquired_at=ACQUIRED_AT)
    assert (on_the_day_before.PatientAge, after.PatientAge) == ("074Y", "075Y")


def test_synthetic_is_said_only_when_true(counts: NDArray[np.uint16]) -> None:
    """Synthetic Data is YES when asked for, and absent otherwise."""
    assert "SyntheticData" not in whole_body_image(counts, patient=PATIENT, acquired_at=ACQUIRED_AT)
    assert whole_body_image(counts, patient=PATIENT, acquired_at=ACQUIRED_AT, synthetic=True).SyntheticData == "YES"
