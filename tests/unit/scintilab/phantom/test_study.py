"""What a simulated patient looks like as a file, and on the command line."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from scintiflow.dicom.selection import candidate, select
from scintiflow.dicom.writing import TRACERS
from scintilab.phantom.__main__ import app
from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import scan
from scintilab.phantom.patient import draw_patient
from scintilab.phantom.study import study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one patient who has both diseases."""
    folder = tmp_path_factory.mktemp("patients")
    result = CliRunner().invoke(app, ["make", "--metastases", "--perugini", "3", "--out", str(folder), "--seed", "4"])
    assert result.exit_code == 0, result.output
    return folder


def test_a_patient_is_a_file_a_picture_and_the_truth(made: Path) -> None:
    """`make` writes DICOM, PNG and JSON, marked as simulated, with the diseases that were asked for."""
    name = made / "patient-A-4-0000"
    truth = json.loads(name.with_suffix(".json").read_text())
    assert truth["data"] == "simulated patient"
    assert truth["metastases"] > 0
    assert truth["perugini"] == 3
    image = dcmread(name.with_suffix(".dcm"))
    assert image.SyntheticData == "YES"
    assert image.pixel_array.shape == (2, 1024, 256)
    assert name.with_suffix(".png").stat().st_size > 10_000


def test_the_runtime_reads_a_patient(made: Path) -> None:
    """The runtime's rules find both views of a simulated patient, coded, and know the tracer."""
    path = made / "patient-A-4-0000.dcm"
    header = dcmread(path, stop_before_pixels=True)
    selection = select([candidate("digest", 0.0, header, path.stat().st_size)])
    assert len(selection.views) == 2
    assert not any("racer" in note for note in selection.notes)


@pytest.mark.peers
def test_files_are_clean(made: Path) -> None:
    """Dciodvfy finds no error but the one attribute that it does not know."""
    if not shutil.which("dciodvfy"):
        pytest.skip("dciodvfy is not installed: apt-get install dicom3tools")
    said = subprocess.run(["dciodvfy", made / "patient-A-4-0000.dcm"], capture_output=True, text=True, check=False)
    errors = [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]
    assert [line for line in errors if "0x0008,0x001c" not in line] == []


@pytest.mark.parametrize("tracer", TRACERS)
def test_every_tracer_is_named(tracer: str) -> None:
    """Each of the four tracers is written with a code."""
    site = {"MDP": "E", "HDP": "B", "DPD": "A", "PYP": "D"}[tracer]
    number = next(number for number in range(60) if draw_patient(0, site, number).tracer == tracer)
    patient, how = draw_patient(0, site, number), draw_acquisition(0, site, number)
    image = study(patient, how, np.zeros((2, 64, 16), np.uint16), number=number)
    [dose] = image.RadiopharmaceuticalInformationSequence
    assert dose.RadiopharmaceuticalCodeSequence[0].CodeValue == TRACERS[tracer].value


def test_the_file_holds_the_scan() -> None:
    """Pixels in the file are the counts of the scan."""
    patient, how = draw_patient(0, "A", 2), draw_acquisition(0, "A", 2)
    counts = scan(patient, how, noise_of(0, "A", 2))
    assert np.array_equal(study(patient, how, counts, number=2).pixel_array, counts)


def test_a_sheet_shows_every_patient(tmp_path: Path) -> None:
    """`sheet` paints as many patients as were asked for, on a grid."""
    out = tmp_path / "sheet.png"
    result = CliRunner().invoke(app, ["sheet", "--count", "3", "--columns", "2", "--out", str(out)])
    assert result.exit_code == 0, result.output
    from PIL import Image

    assert Image.open(out).size == (2 * 512, 2 * 1024)


def test_an_unknown_part_is_told(tmp_path: Path) -> None:
    """A part that does not exist is answered with those that do."""
    result = CliRunner().invoke(app, ["cohort", "F", "--work", str(tmp_path)])
    assert result.exit_code == 2
    assert "validate" in result.output
