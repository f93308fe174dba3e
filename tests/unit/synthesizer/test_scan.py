"""The files that a synthetic scan becomes."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from scintiflow.dicom.selection import candidate, select
from scintiflow.synthesizer.scan import FORMATS, Scan
from tests import dciodvfy
from tests.unit.synthesizer.items import item, manifest_in


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """A synthetic scan."""
    counts = np.random.default_rng(1).poisson(3, (2, 1024, 256)).astype(np.uint16)
    return Scan(counts, item(2, seed=4, label="both", tracer="DPD").labels(manifest_in(tmp_path)))


def dicom(scan: Scan) -> Dataset:
    """Return the object that a scan becomes."""
    return dcmread(io.BytesIO(FORMATS["dicom"].encode(scan)["study"]))


@pytest.mark.peers
@pytest.mark.parametrize("sex", ["F", None])
def test_dciodvfy_finds_no_error(scan: Scan, sex: str | None, tmp_path: Path, peer: Callable[[str], str]) -> None:
    """The object is a strict NM image by dciodvfy, which is too old to know Synthetic Data (0008,001C)."""
    image = dicom(Scan(scan.counts, {**scan.labels, "sex": sex}))
    assert dciodvfy.errors(peer("/usr/bin/dciodvfy"), image, tmp_path) == []


@pytest.mark.peers
def test_dcmtk_draws_the_counts(scan: Scan, tmp_path: Path, peer: Callable[[str], str]) -> None:
    """DCMTK's viewer, asked for both frames without windowing, draws exactly the counts, anterior first."""
    (tmp_path / "study.dcm").write_bytes(FORMATS["dicom"].encode(scan)["study"])
    draw = [peer("/usr/bin/dcm2pnm"), "--all-frames", "--no-windowing", "--write-16-bit-png"]
    subprocess.run([*draw, tmp_path / "study.dcm", tmp_path / "view"], check=True)
    for number, counts in enumerate(scan.counts):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"view.{number}.png")), counts)


def test_the_object_says_that_nobody_was_scanned(scan: Scan) -> None:
    """It is marked synthetic, names the equipment that made it (109100, DCM), and has a name that nobody bears."""
    image = dicom(scan)
    assert image.SyntheticData == "YES"
    (maker,) = image.ContributingEquipmentSequence
    assert maker.PurposeOfReferenceCodeSequence[0].CodeValue == "109100"
    assert image.PatientName == "Synthetic^4-2"
    assert image.PatientID == "SYNTHETIC-4-2"
    assert (image.PatientBirthDate, image.PatientSex) == ("", "")
    assert "PatientAge" not in image


def test_labels_travel_inside_every_file(scan: Scan) -> None:
    """The labels are in the DICOM object, the NPZ and both pictures, and counts survive in each."""
    image = dicom(scan)
    assert json.loads(image.ImageComments) == scan.labels
    np.testing.assert_array_equal(image.pixel_array, scan.counts)
    with np.load(io.BytesIO(FORMATS["npz"].encode(scan)["file"])) as arrays:
        assert json.loads(str(arrays["labels"])) == scan.labels
        np.testing.assert_array_equal(arrays["counts"], scan.counts)
        assert arrays["counts"].dtype == np.uint16
    for number, (view, data) in enumerate(FORMATS["png"].encode(scan).items()):
        picture = Image.open(io.BytesIO(data))
        assert (view, picture.mode) == (("anterior", "posterior")[number], "I;16")
        assert json.loads(picture.info["labels"]) == scan.labels
        np.testing.assert_array_equal(np.asarray(picture), scan.counts[number])


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_scan_is_the_same_file(scan: Scan, format: str) -> None:
    """Encoded twice, a scan is the same bytes, UIDs included."""
    assert FORMATS[format].encode(scan) == FORMATS[format].encode(scan)


def test_another_scan_is_another_study(scan: Scan) -> None:
    """Scans that differ in one label are different studies of different patients' worth."""
    image, other = dicom(scan), dicom(Scan(scan.counts, {**scan.labels, "index": 3}))
    assert image.StudyInstanceUID != other.StudyInstanceUID
    assert image.SOPInstanceUID != other.SOPInstanceUID
    assert image.PatientID != other.PatientID


def test_the_line_reads_it_as_synthetic(scan: Scan) -> None:
    """The line's own rules find both views in it, and that it is synthetic; nobody's age is their only doubt."""
    image = dicom(scan)
    del image.PixelData
    selection = select([candidate("ab" * 32, 0.0, image, 1 << 20)])
    assert (selection.complete, selection.synthetic) == (True, True)
    assert [note.partition(":")[0] for note in selection.notes] == ["Age unknown"]
