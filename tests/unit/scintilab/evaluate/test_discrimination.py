"""What the measures of discrimination promise, beside scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from scintilab.evaluate.discrimination import (
    area_under_curve,
    confusion,
    f1,
    negative_predictive_value,
    positive_predictive_value,
    roc,
    threshold_at_specificity,
)

CHANCE = np.random.default_rng(3)
TRUTH = CHANCE.random(300) < 0.3
SCORE = np.round(TRUTH + CHANCE.normal(0, 1, 300), 1)
"""Rounded, so that many scores are equal."""
WEIGHTS = CHANCE.integers(0, 4, (5, 300)).astype(float)

scores = arrays(np.float64, 12, elements=st.integers(-20, 20).map(float))
truths = arrays(np.bool_, 12).filter(lambda truth: 0 < truth.sum() < 12)


def test_every_resample_has_the_area_that_scikit_learn_finds() -> None:
    """All draws at once, with ties, give the areas that scikit-learn finds one by one."""
    expected = [metrics.roc_auc_score(TRUTH, SCORE, sample_weight=weights) for weights in WEIGHTS]
    np.testing.assert_allclose(area_under_curve(TRUTH, SCORE, WEIGHTS), expected)


def test_curve_is_the_one_of_scikit_learn() -> None:
    """Every threshold is a point of the curve, from nobody to everybody positive."""
    fpr, tpr, _ = metrics.roc_curve(TRUTH, SCORE, drop_intermediate=False)
    curve = roc(TRUTH, SCORE)
    np.testing.assert_allclose(curve, (fpr, tpr))


def test_outcomes_are_counted_as_scikit_learn_counts_them() -> None:
    """Confusion and F1 agree at a threshold that some scores reach exactly."""
    positive = SCORE >= 0.5
    tn, fp, fn, tp = metrics.confusion_matrix(TRUTH, positive).ravel()
    assert confusion(TRUTH, positive) == (tp, fn, fp, tn)
    assert f1(TRUTH, positive) == pytest.approx(metrics.f1_score(TRUTH, positive))


@given(truths, scores)
def test_area_does_not_change_under_a_rising_map(truth: np.ndarray, score: np.ndarray) -> None:
    """Only the order of scores matters; turned round, the area is what was missing to 1."""
    area = area_under_curve(truth, score)
    assert area_under_curve(truth, np.exp(score / 7) + score**3) == area
    assert area_under_curve(truth, -score) == pytest.approx(1 - area)


@given(truths, scores, st.permutations(range(12)))
def test_order_of_rows_does_not_change_the_area(truth: np.ndarray, score: np.ndarray, order: list[int]) -> None:
    """A table sorted otherwise has the same area, to the last bit."""
    assert area_under_curve(truth[order], score[order]) == area_under_curve(truth, score)


@given(truths, scores, st.floats(0, 1))
def test_frozen_threshold_is_the_lowest_that_is_strict_enough(
    truth: np.ndarray, score: np.ndarray, wanted: float
) -> None:
    """Calling positive from the threshold on keeps the specificity; from any lower score on it would not."""
    threshold = threshold_at_specificity(truth, score, wanted)
    assert confusion(truth, score >= threshold).tnr >= wanted - 1e-9
    for lower in score[score < threshold]:
        assert confusion(truth, score >= lower).tnr < wanted


def test_predictive_values_follow_from_the_prevalence() -> None:
    """Of 10,000 patients with 3 % sick, TPR 0.9 and TNR 0.98 make 270 true and 194 false positives."""
    assert positive_predictive_value(np.array(0.9), np.array(0.98), 0.03) == pytest.approx(270 / 464)
    assert negative_predictive_value(np.array(0.9), np.array(0.98), 0.03) == pytest.approx(9506 / 9536)


def test_nobody_to_measure_gives_no_number() -> None:
    """Without sick scans there is no area and no sensitivity, rather than a zero."""
    nobody = np.zeros(4, bool)
    assert np.isnan(area_under_curve(nobody, np.arange(4.0)))
    assert np.isnan(confusion(nobody, ~nobody).tpr)
