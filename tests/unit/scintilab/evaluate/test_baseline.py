"""What a comparison with a baseline promises."""

import numpy as np
import pytest

from scintilab.evaluate.baseline import baseline
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.drawn import draw
from tests.unit.scintilab.evaluate.cohorts import cohort

DRAWN = draw(cohort(), resamples=300)


def test_difference_is_the_model_minus_the_baseline() -> None:
    """At each site the difference is that of the two areas; a model beside itself differs by nothing in any draw."""
    coarse, scans = DRAWN.scans.probability > 0.6, DRAWN.scans
    for site, found in baseline(DRAWN, coarse.astype(float)).sites.items():
        here = scans.site == site
        areas = (area_under_curve(scans.truth[here], score[here]) for score in (scans.probability, coarse))
        assert found.difference.value == pytest.approx(next(areas) - next(areas))
    itself = baseline(DRAWN, scans.probability)
    assert (itself.mean_difference.low, itself.mean_difference.high) == (0, 0)
    assert itself.sites["B"].delong_p == 1


def test_same_draws_make_the_difference_of_like_scores_sure() -> None:
    """Against a score that differs little, the interval of the difference is much narrower than that of either."""
    almost = DRAWN.scans.probability + np.random.default_rng(0).normal(0, 0.02, len(DRAWN.scans))
    found = baseline(DRAWN, almost)
    difference, area = found.mean_difference, found.mean_auc
    assert difference.high - difference.low < 0.3 * (area.high - area.low)


def test_sites_are_drawn_apart() -> None:
    """Draw k of one site says nothing about draw k of another, though both have as many patients."""
    first = DRAWN.only(DRAWN.scans.first())
    counts = [first.weights[:, here].ravel() for here in first.sites().values()]
    assert np.abs(np.corrcoef(counts)[np.triu_indices(3, 1)]).max() < 0.05
