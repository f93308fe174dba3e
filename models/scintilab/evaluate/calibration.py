"""Whether a probability means what it says: of the scans with 0.8, are eight of ten sick?

Weights, [n] or [resamples, n], work as in `discrimination`.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from scintilab.evaluate.bootstrap import Values, Weights
from scintilab.evaluate.scans import Scores, Truth

BINS = 10
_SMALLEST = 1e-6
"""Probabilities are kept this far from 0 and 1, where the logit is infinite."""

_FLAT = 1e-9
"""Below this share of its size, a likelihood's curvature is rounding."""


class Reliability(NamedTuple):
    """For each bin [..., bins]: what was said on average, how many were sick, and the bin's share of the scans."""

    predicted: Values
    observed: Values
    share: Values


def brier(truth: Truth, probability: Scores, weights: Weights | None = None) -> Values:
    """Return the mean squared distance of the probability from the truth: 0 is perfect, 0.25 says 0.5 to everybody."""
    weights = np.ones(len(truth)) if weights is None else weights
    return np.asarray(weights @ (probability - truth) ** 2 / weights.sum(-1))[()]


def slope(truth: Truth, probability: Scores, weights: Weights | None = None) -> Values:
    """Return the slope of truth on logit: below 1 the probabilities are too extreme (Cox 1958)."""
    design = np.stack([np.ones(len(truth)), _logit(probability)], axis=1)
    return _logistic(design, np.zeros(len(truth)), truth, weights)[..., 1]


def intercept(truth: Truth, probability: Scores, weights: Weights | None = None) -> Values:
    """Return what must be added to every logit for the right number of sick: below 0, too many were called likely."""
    return _logistic(np.ones((len(truth), 1)), _logit(probability), truth, weights)[..., 0]


def reliability(truth: Truth, probability: Scores, weights: Weights | None = None, *, bins: int = BINS) -> Reliability:
    """Group scans by probability, about as many in each bin, equal probabilities together."""
    weights = np.ones(len(truth)) if weights is None else weights
    edges = np.unique(np.quantile(probability, np.arange(1, bins) / bins))
    member = np.searchsorted(edges, probability, side="right")[:, None] == np.arange(len(edges) + 1)
    count = weights @ member.astype(float)
    with np.errstate(invalid="ignore"):
        predicted, observed = (weights @ (member * value[:, None]) / count for value in (probability, truth))
    return Reliability(predicted, observed, count / count.sum(-1, keepdims=True))


def expected_error(truth: Truth, probability: Scores, weights: Weights | None = None) -> Values:
    """Return the adaptive expected calibration error: how far bins of equal size lie from the truth, on average."""
    predicted, observed, share = reliability(truth, probability, weights)
    return np.asarray(np.nansum(share * np.abs(predicted - observed), axis=-1))[()]


def _logit(probability: Scores) -> Values:
    return np.asarray(logit(np.clip(probability.astype(np.float64), _SMALLEST, 1 - _SMALLEST)))


def _logistic(design: Values, offset: Values, truth: Truth, weights: Weights | None) -> Values:
    """Fit logistic regressions of truth on design [n, k], one for each row of weights, by Newton; [..., k].

    No step is longer than 1, as Newton's own overshoot where most are called almost certain. NaN where there is no
    single maximum: the scores separate sick from healthy, or are all the same.
    """
    weights = np.ones(len(truth)) if weights is None else weights
    products = np.einsum("ni,nj->nij", design, design).reshape(len(design), -1)
    fitted = np.zeros((*weights.shape[:-1], design.shape[1]))
    for _ in range(50):
        chance = expit(fitted @ design.T + offset)
        gradient = (weights * (truth - chance)) @ design
        curvature = ((weights * chance * (1 - chance)) @ products).reshape(*fitted.shape, -1)
        information = np.trace(curvature, axis1=-2, axis2=-1)[..., None]
        ridge = (1e-10 * information + np.finfo(float).tiny)[..., None] * np.eye(design.shape[1])
        step = np.clip(np.linalg.solve(curvature + ridge, gradient[..., None])[..., 0], -1, 1)
        fitted = fitted + step
    curved = np.linalg.det(curvature)[..., None] > _FLAT * information ** design.shape[1]
    return np.where(curved & (np.abs(step).max(-1, keepdims=True) < _SMALLEST), fitted, np.nan)
