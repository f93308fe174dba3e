"""What strata and the balanced set promise."""

import numpy as np
import pytest

from scintilab.evaluate.balanced import balanced
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.drawn import draw
from scintilab.evaluate.strata import bands, stratum
from tests.unit.scintilab.evaluate.cohorts import cohort

SITE = cohort(each=200, sites={"A": 1.5})
DRAWN = draw(SITE, resamples=100)


def test_every_scan_is_in_one_band() -> None:
    """Bands of numbers meet at their edges, the lower edge inside; names are bands of their own."""
    numbers = bands(np.array([0, 1, 2, 3, 9]), (1, 3))
    assert {name: rows.tolist() for name, rows in numbers.items()} == {
        "under 1": [True, False, False, False, False],
        "1 to under 3": [False, True, True, False, False],
        "3 or more": [False, False, False, True, True],
    }
    assert sum(bands(SITE.strata["tracer"]).values()).tolist() == [1] * len(SITE)


def test_numbers_without_edges_are_no_bands() -> None:
    """Nobody guesses where a column of numbers is to be cut."""
    with pytest.raises(ValueError, match="needs edges"):
        bands(np.array([20.0, 30.0]))


def test_small_stratum_is_a_number_only() -> None:
    """With nine sick patients there is no sensitivity and no AUC, with ten there is; healthy ones are counted alike."""
    sick, healthy = (np.flatnonzero(SITE.first() & (SITE.truth == truth)) for truth in (True, False))
    for count in (9, 10):
        band = np.zeros(len(SITE), bool)
        band[np.concatenate([sick[:count], healthy[:30]])] = True
        found = stratum(DRAWN, band, 0.5)
        assert (found.n, found.sick) == (count + 30, count)
        assert (found.tpr is not None, found.auc is not None, found.tnr is not None) == (count == 10, count == 10, True)


def test_band_of_sick_scans_is_set_against_all_healthy_ones() -> None:
    """A band of lesion load has no specificity, and its AUC is against every healthy scan of the site."""
    load = SITE.strata["metastases"]
    band = (load >= 1) & (load < 5)
    found, rows = stratum(DRAWN, band, 0.5), band | ~SITE.truth
    assert found.tnr is None
    assert found.auc is not None
    assert found.auc.value == area_under_curve(SITE.truth[rows], SITE.probability[rows])


def test_balanced_sets_are_half_sick() -> None:
    """F1 of a model that calls everybody positive is 2/3 in each of the 100 sets: half of each is sick."""
    found = balanced(SITE, threshold=0.0)
    assert found is not None
    assert (found.f1.low, found.f1.high) == pytest.approx((2 / 3, 2 / 3))
    assert found.auc.low < area_under_curve(SITE.truth, SITE.probability) < found.auc.high


def test_order_of_rows_does_not_change_the_sets() -> None:
    """The same table sorted otherwise is drawn alike."""
    order = np.random.default_rng(0).permutation(len(SITE))
    assert balanced(SITE.part(order), threshold=0.5) == balanced(SITE, threshold=0.5)


def test_too_few_patients_make_no_balanced_set() -> None:
    """A site with fewer than 67 sick patients has none."""
    assert balanced(cohort(each=100, sites={"A": 1.5}), threshold=0.5) is None
