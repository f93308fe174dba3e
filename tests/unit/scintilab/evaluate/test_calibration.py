"""What the measures of calibration promise, beside scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from scintilab.evaluate.calibration import brier, expected_error, intercept, reliability, slope

CHANCE = np.random.default_rng(4)
LOGIT = CHANCE.normal(0, 1.5, 4000)
TRUE = 1 / (1 + np.exp(-LOGIT))
TRUTH = CHANCE.random(4000) < TRUE


def said(stretch: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Return the true probabilities with their logits stretched and shifted."""
    return 1 / (1 + np.exp(-stretch * LOGIT - shift))


def test_slope_and_brier_are_those_of_scikit_learn() -> None:
    """All draws at once give the numbers that scikit-learn finds one by one."""
    weights = CHANCE.integers(0, 4, (4, 4000)).astype(float)
    logit = 1.7 * LOGIT[:, None] + 0.4
    fits = [LogisticRegression(C=np.inf, tol=1e-9).fit(logit, TRUTH, sample_weight=weight) for weight in weights]
    np.testing.assert_allclose(slope(TRUTH, said(1.7, 0.4), weights), [fit.coef_[0, 0] for fit in fits], rtol=1e-4)
    squares = [brier_score_loss(TRUTH, said(1.7), sample_weight=weight) for weight in weights]
    np.testing.assert_allclose(brier(TRUTH, said(1.7), weights), squares)


@pytest.mark.parametrize("stretch", [0.5, 1.0, 2.0])
def test_slope_undoes_what_was_stretched(stretch: float) -> None:
    """Logits twice too large have a slope of one half."""
    assert slope(TRUTH, said(stretch)) == pytest.approx(1 / stretch, abs=0.08 / stretch)


@pytest.mark.parametrize("shift", [-6.0, -1.0, 0.0, 1.0, 6.0])
def test_intercept_undoes_what_was_shifted(shift: float) -> None:
    """Everybody called likelier by one logit has an intercept of minus one."""
    assert intercept(TRUTH, said(shift=shift)) == pytest.approx(-shift, abs=0.1)


def test_calibrated_probabilities_lie_near_the_diagonal() -> None:
    """The expected error of true probabilities is small, and that of shifted ones about the shift."""
    assert expected_error(TRUTH, said()) < 0.03
    assert expected_error(TRUTH, said(shift=1.0)) == pytest.approx(np.mean(said(shift=1.0) - TRUE), abs=0.03)


def test_bins_hold_equally_many_and_equal_probabilities_stay_together() -> None:
    """Ten bins of a tenth each; a probability given to half of the scans has a bin of its own."""
    np.testing.assert_allclose(reliability(TRUTH, said()).share, 0.1, atol=0.002)
    half = np.where(np.arange(4000) < 2000, 0.25, said())
    assert reliability(TRUTH, half).share.max() >= 0.5


def test_separated_or_equal_scores_have_no_slope() -> None:
    """Where no healthy scan scores as high as a sick one, or all score alike, no slope is best, and none is made up."""
    truth = np.array([False] * 5 + [True] * 5)
    assert np.isnan(slope(truth, np.linspace(0.1, 0.9, 10)))
    assert np.isnan(slope(truth, np.full(10, 0.2)))
    assert intercept(truth, np.full(10, 0.2)) == pytest.approx(np.log(4))


def test_nobody_sick_has_no_intercept() -> None:
    """No shift makes the predicted number of sick scans zero."""
    assert np.isnan(intercept(np.zeros(10, bool), np.full(10, 0.2)))
