"""How well a score tells sick from healthy, and what follows at a threshold.

Every measure takes weights, [n] or [resamples, n], and gives one number or one for each resample; NaN where
there is nobody to measure.
"""

from typing import NamedTuple

import numpy as np

from scintilab.evaluate.bootstrap import Values, Weights
from scintilab.evaluate.scans import Scores, Truth


class Confusion(NamedTuple):
    """How many scans are what, and were called what."""

    true_positive: Values
    false_negative: Values
    false_positive: Values
    true_negative: Values

    @property
    def tpr(self) -> Values:
        """Sensitivity: the share of sick scans that are called positive."""
        return _share(self.true_positive, self.false_negative)

    @property
    def tnr(self) -> Values:
        """Specificity: the share of healthy scans that are called negative."""
        return _share(self.true_negative, self.false_positive)

    @property
    def f1(self) -> Values:
        """The harmonic mean of sensitivity and the share of positive calls that are right."""
        return _share(2 * self.true_positive, self.false_negative + self.false_positive)


def confusion(truth: Truth, positive: Truth, weights: Weights | None = None) -> Confusion:
    """Count the four outcomes."""
    weights = np.ones(len(truth)) if weights is None else weights
    outcomes = (truth & positive, truth & ~positive, ~truth & positive, ~truth & ~positive)
    return Confusion(*(weights @ outcome.astype(float) for outcome in outcomes))


def sensitivity(truth: Truth, positive: Truth, weights: Weights | None = None) -> Values:
    """Return the share of sick scans that are called positive."""
    return confusion(truth, positive, weights).tpr


def specificity(truth: Truth, positive: Truth, weights: Weights | None = None) -> Values:
    """Return the share of healthy scans that are called negative."""
    return confusion(truth, positive, weights).tnr


def f1(truth: Truth, positive: Truth, weights: Weights | None = None) -> Values:
    """Return F1."""
    return confusion(truth, positive, weights).f1


def positive_predictive_value(tpr: Values, tnr: Values, prevalence: float) -> Values:
    """Return the share of positive calls that are right where `prevalence` of the patients are sick (Bayes)."""
    return _share(tpr * prevalence, (1 - tnr) * (1 - prevalence))


def negative_predictive_value(tpr: Values, tnr: Values, prevalence: float) -> Values:
    """Return the share of negative calls that are right where `prevalence` of the patients are sick (Bayes)."""
    return _share(tnr * (1 - prevalence), (1 - tpr) * prevalence)


def area_under_curve(truth: Truth, score: Scores, weights: Weights | None = None) -> Values:
    """Return how often a sick scan scores above a healthy one, ties counting half (Mann and Whitney)."""
    sick, healthy = _by_level(truth, score, weights)
    below = healthy.cumsum(-1) - healthy / 2
    with np.errstate(invalid="ignore"):
        return np.asarray((sick * below).sum(-1) / (sick.sum(-1) * healthy.sum(-1)))[()]


class Curve(NamedTuple):
    """The ROC curve, from the strictest threshold to the loosest; [..., k]."""

    fpr: Values
    tpr: Values


def roc(truth: Truth, score: Scores, weights: Weights | None = None) -> Curve:
    """Return the shares of healthy and of sick scans above each threshold."""
    sick, healthy = (
        np.concatenate([np.zeros((*level.shape[:-1], 1)), level[..., ::-1].cumsum(-1)], -1)
        for level in _by_level(truth, score, weights)
    )
    with np.errstate(invalid="ignore"):
        return Curve(healthy / healthy[..., -1:], sick / sick[..., -1:])


def best_threshold(truth: Truth, score: Scores) -> float:
    """Return the score from which on calling scans positive gives the highest Youden index."""
    fpr, tpr = roc(truth, score)
    return float(np.unique(score)[np.argmax((tpr - fpr)[:0:-1])])


def threshold_at_specificity(truth: Truth, score: Scores, wanted: float) -> float:
    """Return the lowest score from which on calling scans positive leaves `wanted` of the healthy ones negative.

    To be frozen on the site that the model was made on; above every score where no score is strict enough.
    """
    levels = np.unique(score)
    candidates = np.append(levels, np.nextafter(levels[-1], np.inf))
    strict = roc(truth, score).fpr[::-1] <= 1 - wanted + 1e-12
    # The curve ends with everybody positive, from the lowest score on, and begins with nobody.
    return float(candidates[np.argmax(strict)])


def _by_level(truth: Truth, score: Scores, weights: Weights | None) -> tuple[Values, Values]:
    """Return how many sick and how many healthy scans have each score, from the lowest, [..., levels]."""
    weights = np.ones(len(truth)) if weights is None else weights
    order = np.argsort(score, kind="stable")
    _, starts = np.unique(score[order], return_index=True)
    sick, healthy = (np.add.reduceat(weights[..., order] * group[order], starts, axis=-1) for group in (truth, ~truth))
    return sick, healthy


def _share(part: Values, rest: Values) -> Values:
    with np.errstate(invalid="ignore"):
        return np.divide(part, part + rest)
