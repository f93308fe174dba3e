"""What a cohort promises."""

from pathlib import Path

import numpy as np
import pytest

from scintiflow.dicom.canvas import canvas_view
from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import scan
from scintilab.phantom.cohort import Cohort, cohort, twins
from scintilab.phantom.outcome import draw_outcome, hazard
from scintilab.phantom.patient import draw_patient


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where cohorts are kept."""
    return tmp_path_factory.mktemp("cohorts")


@pytest.fixture(scope="module")
def some(cache: Path) -> Cohort:
    """The first forty patients of site A."""
    return cohort("A", 5, range(40), cache)


def test_a_patients_scans_depend_on_nobody_else(some: Cohort, tmp_path: Path) -> None:
    """Patients simulated by themselves, beginning elsewhere, have the same canvases and the same truth."""
    alone = cohort("A", 5, range(33, 36), tmp_path)
    rows = np.isin(some.truth.patient, (33, 34, 35))
    assert np.array_equal(alone.canvas, some.canvas[rows])
    assert all(np.array_equal(one, all_[rows]) for one, all_ in zip(alone.truth, some.truth, strict=True))


def test_the_canvas_is_the_runtimes(some: Cohort) -> None:
    """What a cohort holds is the scan as the runtime puts it on its canvas."""
    counts = scan(draw_patient(5, "A", 7), draw_acquisition(5, "A", 7), noise_of(5, "A", 7))
    row = int(np.flatnonzero((some.truth.patient == 7) & (some.truth.visit == 0))[0])
    assert np.array_equal(some.canvas[row], np.stack([canvas_view(view) for view in counts]).astype(np.float16))
    assert some.truth.counts[row] == counts.sum() / 2


def test_a_cohort_is_simulated_once(some: Cohort, cache: Path) -> None:
    """Asked again, a cohort comes from its folder, with nothing left over from making it."""
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.np*")}
    again = cohort("A", 5, range(40), cache)
    assert np.array_equal(again.truth.patient, some.truth.patient)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.np*")} == before
    assert {path.name for path in before} == {"canvas.npy", "truth.npz"}


def test_a_stopped_simulation_goes_on(some: Cohort, tmp_path: Path) -> None:
    """Chunks that were done before a stop are not made again, and the whole is the same."""
    first = cohort("A", 5, range(32), tmp_path)
    [folder] = tmp_path.iterdir()
    larger = tmp_path / folder.name.replace("-0-32-", "-0-40-")
    larger.mkdir()
    np.savez(larger / "chunk-0.npz", canvas=first.canvas, **(first.truth._asdict() | {"age": first.truth.age + 1000}))
    resumed = cohort("A", 5, range(40), tmp_path)
    assert (resumed.truth.age > 1000).sum() == len(first)
    assert np.array_equal(resumed.canvas, some.canvas)


def test_twins_are_healthy_and_stand_in_the_same_rows(some: Cohort, cache: Path) -> None:
    """Twins have the same patients, visits, poses and protocols, and no disease; a patient without any is the twin."""
    healthy = twins("A", 5, range(40), cache)
    for name in ("patient", "visit", "age", "pose", "injection", "scanner"):
        assert np.array_equal(getattr(healthy.truth, name), getattr(some.truth, name))
    assert not healthy.metastatic.any()
    assert not healthy.truth.perugini.any()
    assert not healthy.truth.metastasis_mask.any()
    well = ~some.metastatic & (some.truth.perugini == 0)
    assert np.array_equal(healthy.canvas[well], some.canvas[well])
    assert not (healthy.canvas[~well] == some.canvas[~well]).all(axis=(1, 2, 3)).any()


def test_masks_follow_disease(some: Cohort) -> None:
    """Scans with metastases, and only they, have pixels over metastases; the index is above zero with them."""
    marked = np.unpackbits(some.truth.metastasis_mask, axis=-1).any((1, 2, 3))
    assert np.array_equal(marked, some.metastatic)
    assert np.array_equal(some.truth.bsi > 0, some.metastatic)


def test_nobody_is_scanned_after_death(cache: Path) -> None:
    """Every scan has some follow-up, and later scans of a patient have a year less."""
    many = cohort("E", 5, range(64), cache).truth
    assert (many.years > 0).all()
    assert (many.null_years > 0).all()
    for row in np.flatnonzero(many.visit == 1):
        first = np.flatnonzero((many.patient == many.patient[row]) & (many.visit == 0))[0]
        assert many.years[first] - many.years[row] == pytest.approx(1)


@pytest.mark.parametrize(
    ("bsi", "alive"), [((0.0,), 0.55), ((0.1, 0.3, 0.6, 0.9), 0.42), ((1.2, 2, 3, 4.5), 0.31), ((6, 9, 14), 0.0)]
)
def test_survival_by_bone_scan_index(bsi: tuple[float, ...], alive: float) -> None:
    """Five-year survival is 55 % without metastases, 42 % below a BSI of 1, 31 % to 5, and hardly any above.

    PMC3570487; within 8 points, at 67 years.
    """
    dies = [hazard(67, index, cardiac=False) for index in bsi]
    assert abs(np.mean(np.exp(-5 * np.array(dies))) - alive) < 0.08


def test_luck_is_the_patients_own() -> None:
    """With a higher hazard the same patient never dies later."""
    for number in range(50):
        slow, fast = (draw_outcome(np.random.default_rng(number), risk) for risk in (0.1, 0.4))
        assert fast.years <= slow.years
        assert fast.died or not slow.died
