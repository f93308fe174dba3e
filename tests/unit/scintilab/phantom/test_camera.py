"""What the simulated camera promises."""

import numpy as np
import pytest
import torch

from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import CAMERAS, CANVAS, COLS, ROWS, Acquisition, Exposure, counted, expose, scan
from scintilab.phantom.patient import HEALTHY, Disease, Patient, draw_patient

SYMBIA = Acquisition(CAMERAS["Symbia"], activity_mbq=650, hours=3, speed_mm_s=2.3, top_mm=60)


@pytest.fixture(scope="module")
def sick() -> Patient:
    """A patient with metastases."""
    return draw_patient(7, "A", 3, disease=Disease(metastatic=True, perugini=0))


@pytest.fixture(scope="module")
def exposure(sick: Patient) -> Exposure:
    """What a scan of that patient expects."""
    return expose([sick], [SYMBIA])


def test_a_scan_depends_on_nobody_else() -> None:
    """One seed is one patient, count by count: alone, among others in any order, with one thread or two."""
    patients, how = ([draw(4, "B", number) for number in range(3)] for draw in (draw_patient, draw_acquisition))
    alone = expose(patients[1:2], how[1:2]).rate[0]
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    among = expose(patients[::-1], how[::-1]).rate[1]
    torch.set_num_threads(threads)
    assert torch.equal(alone, among)
    first, second = (scan(patients[1], how[1], noise_of(4, "B", 1)) for _ in range(2))
    assert np.array_equal(first, second)


def test_counts_follow_activity_and_time(sick: Patient, exposure: Exposure) -> None:
    """Twice the time is twice the counts; six hours later it is half of the tracer's; the room's share stays."""
    slow = expose([sick], [SYMBIA._replace(speed_mm_s=1.15)]).rate
    assert float(slow.sum() / exposure.rate.sum()) == pytest.approx(2, rel=1e-3)
    late = expose([sick], [SYMBIA._replace(hours=9.01)]).rate
    assert float(late.sum() / exposure.rate.sum()) == pytest.approx(0.5, rel=0.05)


def test_noise_is_poisson(exposure: Exposure) -> None:
    """Counts scatter about what is expected with the variance of their mean."""
    rate = exposure.rate[0].numpy()
    counts = counted(exposure.rate[0], SYMBIA, np.random.default_rng(1)).astype(float)
    assert counts.sum() == pytest.approx(rate.sum(), rel=0.003)
    lit = rate > 1
    assert np.mean((counts[lit] - rate[lit]) ** 2 / rate[lit]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("processing", ["smoothed", "resampled"])
def test_processing_keeps_counts_and_takes_noise(exposure: Exposure, processing: str) -> None:
    """A console that smooths or resamples keeps the sum of counts, and makes neighbours alike."""
    how = SYMBIA._replace(processing=processing)
    raw, done = (counted(exposure.rate[0], each, np.random.default_rng(1)).astype(float) for each in (SYMBIA, how))
    assert done.sum() == pytest.approx(raw.sum(), rel=0.02)
    rate = exposure.rate[0].numpy()
    lit = rate > 5
    assert np.var((done - rate)[lit] / np.sqrt(rate[lit])) < 0.6 * np.var((raw - rate)[lit] / np.sqrt(rate[lit]))


def test_posterior_is_seen_from_behind(exposure: Exposure) -> None:
    """The posterior view resembles the anterior one mirrored more than as it is."""
    front, back = exposure.rate[0].sqrt().numpy()
    assert np.corrcoef(front.ravel(), back[:, ::-1].ravel())[0, 1] > np.corrcoef(front.ravel(), back.ravel())[0, 1]


def test_beyond_the_scanned_length_is_zero(sick: Patient, exposure: Exposure) -> None:
    """Rows beyond the scan and columns at the detector's edge are exactly zero, as on real frames."""
    rate = exposure.rate[0]
    beyond = int((ROWS * SYMBIA.camera.pixel - sick.height_mm - 2 * SYMBIA.top_mm) / 2 / SYMBIA.camera.pixel)
    assert not rate[:, :beyond].any()
    assert not rate[:, -beyond:].any()
    assert not rate[:, :, :13].any()
    assert rate[:, beyond + 1 : -beyond - 1, 13 : COLS - 13].all()


def test_blur_grows_with_distance() -> None:
    """Low-energy collimators resolve 7 to 9 mm at 10 cm (King's College: 7.4), and less further away."""
    for camera in CAMERAS.values():
        assert 6.5 < camera.fwhm(100) < 9.5
        assert camera.fwhm(30) < camera.fwhm(100) < camera.fwhm(200)


def test_masks_lie_where_disease_shows(sick: Patient, exposure: Exposure) -> None:
    """Where the sick patient is brightest against the healthy twin, the mask of metastases is or is next to it."""
    healthy = expose([draw_patient(7, "A", 3, disease=HEALTHY)], [SYMBIA])
    share = healthy.rate.sum() / exposure.rate.sum()
    rise = (exposure.rate * share - healthy.rate)[0].reshape(2, CANVAS[0], ROWS // CANVAS[0], COLS).mean(2)
    mask = exposure.metastases[0]
    for view in (0, 1):
        row, col = divmod(int(rise[view].argmax()), COLS)
        assert mask[view, max(row - 3, 0) : row + 4, max(col - 5, 0) : col + 6].any()
    assert not healthy.metastases.any()
    assert torch.equal(mask[0], mask[1].flip(1))


def test_foci_never_make_bone_negative() -> None:
    """Prostheses and lytic metastases, however many, leave no negative counts."""
    patients = [draw_patient(5, "A", number, disease=Disease(True, 0)) for number in range(8)]
    assert (expose(patients, [SYMBIA] * 8).rate >= 0).all()


@pytest.mark.gpu
def test_a_gpu_expects_the_same(sick: Patient, exposure: Exposure) -> None:
    """The same code on a GPU expects the same counts, within a thousandth."""
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    there = expose([sick], [SYMBIA], "cuda").rate.cpu()
    assert torch.allclose(there, exposure.rate, rtol=1e-3, atol=1e-3)
