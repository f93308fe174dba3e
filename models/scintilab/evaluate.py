"""How well a classifier does, with intervals: numbers that a model's card may quote."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Truth = NDArray[np.bool_]
Scores = NDArray[np.floating]


class Estimate(NamedTuple):
    """A number and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} (95 % interval {self.low:.3f} to {self.high:.3f})"


def area_under_curve(truth: Truth, score: Scores) -> float:
    """Return how often a sick patient scores above a healthy one, ties counting half (Mann-Whitney)."""
    sick, healthy = truth.sum(), (~truth).sum()
    return float((rankdata(score)[truth].sum() - sick * (sick + 1) / 2) / (sick * healthy))


def sensitivity(truth: Truth, positive: Truth) -> float:
    """Return the share of sick patients that are called positive."""
    return float(positive[truth].mean())


def specificity(truth: Truth, positive: Truth) -> float:
    """Return the share of healthy patients that are called negative."""
    return float((~positive[~truth]).mean())


def best_threshold(truth: Truth, score: Scores) -> float:
    """Return the score from which on calling patients positive gives the highest Youden index."""
    candidates = np.unique(score)
    youden = [sensitivity(truth, score >= cut) + specificity(truth, score >= cut) for cut in candidates]
    return float(candidates[np.argmax(youden)])


def bootstrap(
    measure: Callable[[Truth, NDArray[Any]], float],
    truth: Truth,
    answer: NDArray[Any],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Estimate `measure(truth, answer)`, one patient a row, resampled within sick and healthy."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(truth), np.flatnonzero(~truth)]
    values = []
    for _ in range(resamples):
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        values.append(measure(truth[rows], answer[rows]))
    low, high = np.percentile(values, (2.5, 97.5))
    return Estimate(measure(truth, answer), float(low), float(high))
