"""What pictures without the disease promise."""

import numpy as np
import pytest

from scintilab.phantom.cohort import Cohort
from scintilab.shortcuts.masked import features, twin, without_chest, without_lesions
from tests.unit.scintilab.evaluate import patients

N = 12
EVERYBODY = slice(None)


@pytest.fixture(scope="module")
def scans() -> Cohort:
    """Some patients, half of them sick."""
    return patients.cohort("A", N, sick=0.5)


@pytest.fixture(scope="module")
def twins() -> Cohort:
    """The same without disease."""
    return patients.twin("A", N, sick=0.5)


def test_lesions_are_gone_and_the_rest_stays(scans: Cohort, twins: Cohort) -> None:
    """At a metastasis and around it stand the twin's pixels; far from any, and in healthy patients, the scan's own."""
    made = without_lesions(scans, twins, EVERYBODY)
    lesions = np.unpackbits(scans.truth.metastasis_mask, axis=-1).astype(bool)
    assert lesions.any()
    np.testing.assert_array_equal(made[lesions], twins.canvas.astype(np.float32)[lesions])
    np.testing.assert_array_equal(made[~scans.metastatic], scans.canvas[~scans.metastatic].astype(np.float32))
    for view in np.argwhere(lesions.any((2, 3)))[:5]:
        row, col = np.argwhere(lesions[tuple(view)])[0]
        beside = (*view, max(row - 4, 0), col)
        assert made[beside] == np.float32(twins.canvas[beside])
    corner = np.s_[:, :, 500:, :10]
    np.testing.assert_array_equal(made[corner], scans.canvas[corner].astype(np.float32))


def test_chest_is_dark_wherever_the_patient_lies(scans: Cohort, twins: Cohort) -> None:
    """The heart's rows are empty, head and legs are not, for a patient further down the table as well."""
    lower = patients.moved(scans, 25)
    for cohort, down in ((scans, 0), (lower, 25)):
        made = without_chest(cohort, twins, EVERYBODY)
        heart = slice(patients.HEART[0].start + down, patients.HEART[0].stop + down)
        assert made[:, :, heart].max() == 0
        assert made[:, :, 30 + down : 60 + down].min(0).max() > 0
        assert made[:, :, 300:400].mean() == pytest.approx(
            cohort.canvas[:, :, 300:400].mean(dtype=np.float32), rel=1e-3
        )


def test_features_do_not_know_counts(scans: Cohort, twins: Cohort) -> None:
    """The same picture with twice the counts has the same features, one row a scan."""
    double = patients.brighter(twins, 2)
    once, twice = features(scans, twins, twin), features(scans, double, twin)
    assert once.shape == (len(scans), 2 * 32 * 16)
    np.testing.assert_allclose(once, twice, atol=1e-3)
