"""What the measures of outcome promise, beside lifelines and scipy."""

import lifelines
import numpy as np
import pytest
from lifelines.utils import concordance_index
from scipy import stats

from scintilab.evaluate.drawn import draw
from scintilab.evaluate.scans import Fate, Scans
from scintilab.evaluate.survival import concordance, hazard_ratio, kaplan_meier, logrank, outcome
from tests.unit.scintilab.evaluate.cohorts import cohort

COHORT = cohort(each=150)
FIRST = COHORT.part(COHORT.first())
POSITIVE = FIRST.probability >= 0.5


def fate(scans: Scans) -> Fate:
    """Return what became of a cohort, which was followed."""
    assert scans.fate is not None
    return scans.fate


FATE = fate(FIRST)


def test_curve_is_the_one_of_lifelines() -> None:
    """The share alive and its log-log interval agree with lifelines at every year."""
    curve, fitted = kaplan_meier(FATE.years, FATE.died), lifelines.KaplanMeierFitter().fit(FATE.years, FATE.died)
    np.testing.assert_allclose(curve.alive, fitted.survival_function_at_times(curve.years))
    bounds = fitted.confidence_interval_.loc[curve.years].to_numpy()
    np.testing.assert_allclose([curve.low, curve.high], bounds.T, atol=1e-6)


def test_nobody_left_is_certain() -> None:
    """Where all have died the curve and its interval end at 0."""
    curve = kaplan_meier(np.array([1.0, 2.0, 3.0]), np.ones(3, bool))
    assert (curve.alive[-1], curve.low[-1], curve.high[-1]) == (0, 0, 0)
    assert (curve.alive[0], curve.low[0], curve.high[0]) == (1, 1, 1)


def test_one_site_has_the_log_rank_test_of_scipy() -> None:
    """Without strata the p-value is scipy's, also where several die at one time."""
    here, years = FIRST.site == "B", np.ceil(FATE.years)
    groups = (here & POSITIVE, here & ~POSITIVE)
    expected = stats.logrank(
        *(stats.CensoredData(uncensored=years[g & FATE.died], right=years[g & ~FATE.died]) for g in groups)
    )
    found = logrank(years[here], FATE.died[here], POSITIVE[here], FIRST.site[here])
    assert found == pytest.approx(expected.pvalue)


def test_strata_are_not_pooled() -> None:
    """A site where all die early and all are positive does not make the answer predict death: in no site it does."""
    chance = np.random.default_rng(2)
    site = np.repeat(["early", "late"], 200)
    years = chance.exponential(np.where(site == "early", 1, 10))
    positive = chance.random(400) < np.where(site == "early", 0.9, 0.1)
    died = np.ones(400, bool)
    assert logrank(years, died, positive, np.full(400, "pooled")) < 1e-6
    assert logrank(years, died, positive, site) > 0.05
    ratio = hazard_ratio(years, died, positive, site)
    assert ratio.low < 1 < ratio.high


def test_concordance_is_the_one_of_lifelines() -> None:
    """For each draw, the C-index agrees with lifelines' of the same patients."""
    weights = np.random.default_rng(3).integers(0, 3, (3, len(FIRST)))
    found = concordance(FATE.years, FATE.died, FIRST.probability, weights.astype(float))
    for weight, c in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(len(FIRST)), weight)
        assert c == pytest.approx(concordance_index(FATE.years[rows], -FIRST.probability[rows], FATE.died[rows]))
    expected = concordance_index(FATE.years, -FIRST.probability, FATE.died)
    assert concordance(FATE.years, FATE.died, FIRST.probability) == pytest.approx(expected)


def test_disease_that_kills_is_seen_and_a_null_cohort_is_not() -> None:
    """Called positive goes with death where disease is deadly, and does not where the hazard ignores it."""
    deadly, null = (outcome(draw(cohort(5, each=200, hazard_of_burden=h), resamples=200), 0.5) for h in (1.0, 0.0))
    assert deadly is not None
    assert null is not None
    assert deadly.logrank_p < 0.001
    assert deadly.hazard_ratio.low > 1
    assert null.logrank_p > 0.05
    assert null.hazard_ratio.low < 1 < null.hazard_ratio.high
    assert null.c_index.low < 0.5 < null.c_index.high


def test_true_burden_foretells_death_better_than_the_model() -> None:
    """Of first scans at the two other sites, the true burden has a higher C-index than the probability."""
    found = outcome(draw(cohort(6, each=300), resamples=50), 0.5)
    assert found is not None
    assert found.patients == 600
    assert found.c_index_of_burden is not None
    assert found.c_index_of_burden.value > found.c_index.value


def test_without_deaths_on_both_sides_there_is_no_ratio() -> None:
    """If nobody called positive died, no hazard ratio is made up."""
    years, positive = np.arange(1.0, 21), np.arange(20) < 10
    assert np.isnan(hazard_ratio(years, ~positive, positive, np.full(20, "A")).value)


def test_nobody_followed_has_no_outcome() -> None:
    """A table without what became of patients has no survival, and says nothing."""
    followed = cohort(each=30)
    alone = Scans(followed.patient, followed.site, followed.visit, followed.truth, followed.probability)
    assert outcome(draw(alone, resamples=5), 0.5) is None
