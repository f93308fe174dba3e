"""DeLong's test: do two scores of the same scans tell sick from healthy equally well?

DeLong, DeLong and Clarke-Pearson, Biometrics 44:837 (1988), by midranks as in Sun and Xu, IEEE Signal Processing
Letters 21:1389 (2014). It takes scans to be independent: give it one scan a patient.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm, rankdata

from scintilab.evaluate.bootstrap import Estimate
from scintilab.evaluate.scans import Scores, Truth


class Comparison(NamedTuple):
    """First AUC minus second, and how likely as much is between equals (two-sided)."""

    difference: Estimate
    p: float


def delong(truth: Truth, first: Scores, second: Scores) -> Comparison:
    """Compare two scores, higher meaning sick in both."""
    scores = np.stack([first, second])
    sick, healthy = scores[:, truth], scores[:, ~truth]
    m, n = sick.shape[1], healthy.shape[1]
    if min(m, n) < 2:
        return Comparison(Estimate(float("nan"), float("nan"), float("nan")), float("nan"))
    together = rankdata(np.concatenate([sick, healthy], axis=1), axis=1)
    above_healthy = (together[:, :m] - rankdata(sick, axis=1)) / n
    below_sick = 1 - (together[:, m:] - rankdata(healthy, axis=1)) / m
    area = above_healthy.mean(axis=1)
    covariance = np.cov(above_healthy) / m + np.cov(below_sick) / n
    apart = area[0] - area[1]
    error = np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0))
    reach = norm.ppf(0.975) * error
    p = 2 * norm.sf(abs(apart) / error) if error else float(apart == 0)
    return Comparison(Estimate(float(apart), float(apart - reach), float(apart + reach)), float(p))
