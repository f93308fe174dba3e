"""What the digital patient and its camera promise."""

import numpy as np
import pytest

from scintilab.phantom.camera import BRIGHTVIEW, COLS, ROWS, SYMBIA, expected, pixel_of, scan
from scintilab.phantom.geometry import ellipsoid, sheet, tube
from scintilab.phantom.lesions import METASTASIS
from scintilab.phantom.patient import Patient, draw_patient
from scintilab.phantom.skeleton import kind, skeleton
from scintilab.phantom.streams import stream


@pytest.fixture(scope="module")
def sick() -> Patient:
    """A patient with metastases."""
    return draw_patient(7, 3, metastatic=True)


def test_solids_hold_their_volume() -> None:
    """Summed weights are volume times concentration, for each solid."""
    assert tube([(0, 0, 0), (0, 0, 100)], 10, 2).weight.sum() == pytest.approx(2 * np.pi * 100 * 100, rel=0.01)
    assert ellipsoid((5, 5, 5), (10, 20, 30), 3).weight.sum() == pytest.approx(3 * 4 / 3 * np.pi * 6000, rel=0.01)
    assert sheet([(0, 0, 0), (40, 0, 0), (40, 0, 50), (0, 0, 50)], 5, 2).weight.sum() == pytest.approx(2 * 40 * 50 * 5)


def test_solids_stay_inside_their_walls() -> None:
    """No point of an ellipsoid's wall is nearer to the middle than the wall is thick, or beyond the surface."""
    off = np.linalg.norm(ellipsoid((1, 2, 3), 20, 1, wall=5).position - (1, 2, 3), axis=1)
    assert off.min() >= 15 - 1e-9
    assert off.max() <= 20 + 1e-9


def test_skeleton_is_complete() -> None:
    """A skeleton has 24 vertebrae and 24 ribs, left bones on the left, mirrored on the right."""
    bones = skeleton()
    assert sum(kind(name) in "CTL" for name in bones.names) == 24
    assert sum(kind(name) == "rib" for name in bones.names) == 24
    for name in (name for name in bones.names if name.endswith(" left")):
        left = bones.position[bones.bone == bones.names.index(name), 0].mean()
        right = bones.position[bones.bone == bones.names.index(name.replace(" left", " right")), 0].mean()
        assert left > 0 > right
        assert left == pytest.approx(-right, abs=1)


def test_patients_can_be_drawn_again() -> None:
    """The same seed and number give the same scan, count by count; another number another patient."""
    one, again, other = (draw_patient(7, number, metastatic=False) for number in (5, 5, 6))
    first, second = (scan(patient, SYMBIA, 5e5, stream(7, 5, "noise")) for patient in (one, again))
    assert np.array_equal(first, second)
    assert one.height_mm != other.height_mm


def test_twins_differ_by_metastases_only() -> None:
    """Disease changes no other factor: same person, same pose, same benign foci, same organs' places."""
    healthy, sick = (draw_patient(7, 3, metastatic=disease) for disease in (False, True))
    assert np.array_equal(healthy.position, sick.position)
    assert healthy.lesions == tuple(lesion for lesion in sick.lesions if lesion.kind != METASTASIS)
    assert (healthy.metastatic, sick.metastatic) == (False, True)


def test_benign_foci_share_bones_with_metastases() -> None:
    """A focus in a rib, a vertebra or the pelvis is no proof of disease in this population."""
    benign = {kind(lesion.bone) for number in range(60) for lesion in draw_patient(7, number, metastatic=False).lesions}
    assert {"rib", "T", "L"} <= benign


def test_counts_are_poisson_of_the_asked_mean(sick: Patient) -> None:
    """A view holds the counts that were asked for on average, and noise has the variance of its mean."""
    rate = expected(sick, SYMBIA)
    rate *= 2 * 8e5 / rate.sum()
    counts = scan(sick, SYMBIA, 8e5, np.random.default_rng(1)).astype(float)
    assert counts.mean(axis=(1, 2)).mean() * ROWS * COLS == pytest.approx(8e5, rel=0.005)
    lit = rate > 1
    assert np.mean((counts[lit] - rate[lit]) ** 2 / rate[lit]) == pytest.approx(1, abs=0.02)


def test_posterior_is_seen_from_behind(sick: Patient) -> None:
    """The posterior view resembles the anterior one mirrored more than as it is."""
    front, back = (np.sqrt(view) for view in expected(sick, SYMBIA))
    assert np.corrcoef(front.ravel(), back[:, ::-1].ravel())[0, 1] > np.corrcoef(front.ravel(), back.ravel())[0, 1]


def test_beyond_the_scanned_length_is_zero(sick: Patient) -> None:
    """Rows beyond the scan and columns at the detector's edge are exactly zero, as on real frames."""
    counts = scan(sick, SYMBIA, 8e5, np.random.default_rng(1), top_mm=60)
    beyond = int((ROWS * SYMBIA.pixel - sick.height_mm - 120) / 2 / SYMBIA.pixel)
    assert not counts[:, :beyond].any()
    assert not counts[:, -beyond:].any()
    assert not counts[:, :, :13].any()


def test_blur_grows_with_distance() -> None:
    """Low-energy collimators resolve 7 to 9 mm at 10 cm, and less further away."""
    for camera in (SYMBIA, BRIGHTVIEW):
        assert 6.5 < camera.fwhm(100) < 9.5
        assert camera.fwhm(30) < camera.fwhm(100) < camera.fwhm(200)


def test_lesions_are_where_they_are_said_to_be() -> None:
    """Anterior counts rise most within 2 cm of a lesion's stated place, against the healthy twin."""
    for number in range(5):
        healthy, sick = (draw_patient(11, number, metastatic=disease) for disease in (False, True))
        rise = expected(sick, SYMBIA)[0] - expected(healthy, SYMBIA)[0]
        row, col = np.unravel_index(rise.argmax(), rise.shape)
        spots = np.array([lesion.centre for lesion in sick.lesions if lesion.kind == METASTASIS])
        away = np.hypot(*(np.stack(pixel_of(sick, SYMBIA, spots)) - np.array([[row], [col]]))) * SYMBIA.pixel
        assert away.min() < 20
