"""Intervals: patients are drawn again and again, with all their scans, and every measure is taken of each draw.

A draw is a row of weights, how often each scan counts, so that a measure takes all draws at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from scintilab.evaluate.scans import Truth

RESAMPLES = 2000
Seed = int | tuple[int, ...]
Values = NDArray[np.float64]
Weights = NDArray[np.float64]
"""How often each scan counts: [n], or [resamples, n]."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    def complement(self) -> "Estimate":
        """Return the estimate of what is missing to 1."""
        return Estimate(1 - self.value, 1 - self.high, 1 - self.low)


@dataclass(frozen=True)
class Resampled:
    """A number, and what it was in each resample, [resamples]."""

    value: float
    samples: Values

    def estimate(self) -> Estimate:
        """Return the number with the middle 95 % of its resamples."""
        known = self.samples[np.isfinite(self.samples)]
        low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (np.nan, np.nan)
        return Estimate(self.value, float(low), float(high))

    def rate(self, patients: int) -> Estimate:
        """Return a rate among `patients`; one that is 0 or 1 gets the exact interval (Clopper and Pearson, 1934).

        Drawing again from what never failed never fails, and would give an interval of no width. An AUC is a rate
        among as many pairs of patients as are independent.
        """
        if self.value not in (0, 1):
            return self.estimate()
        exact = binomtest(round(self.value * patients), patients).proportion_ci()
        return Estimate(self.value, float(exact.low), float(exact.high))


def resampled_weights(patient: NDArray[Any], truth: Truth, *, resamples: int = RESAMPLES, seed: Seed = 0) -> Weights:
    """Draw as many patients as there are, among those ever sick and those never, [resamples, n].

    Draw number k depends on seed and k alone: not on the order of rows, nor on how many draws there are. Within
    the strata the share of sick patients is fixed, as the sites' designs fixed it.
    """
    names, whose = np.unique(patient, return_inverse=True)
    sick = np.bincount(whose, truth, minlength=len(names)) > 0
    groups = [group for group in (np.flatnonzero(sick), np.flatnonzero(~sick)) if len(group)]
    key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    drawn = np.empty((resamples, len(names)))
    for number in range(resamples):
        chance = np.random.Generator(np.random.Philox(key=key, counter=(0, 0, 0, number)))
        members = np.concatenate([group[chance.integers(len(group), size=len(group))] for group in groups])
        drawn[number] = np.bincount(members, minlength=len(names))
    return drawn[:, whose]


def bootstrap(
    measure: Callable[[Truth, NDArray[Any], Weights], Values],
    truth: Truth,
    answer: NDArray[Any],
    *,
    patient: NDArray[Any] | None = None,
    resamples: int = RESAMPLES,
    seed: Seed = 0,
) -> Estimate:
    """Estimate `measure(truth, answer, weights)`; without `patient`, every row is one patient."""
    whose = np.arange(len(truth)) if patient is None else patient
    weights = resampled_weights(whose, truth, resamples=resamples, seed=seed)
    return Resampled(float(measure(truth, answer, np.ones(len(truth)))), measure(truth, answer, weights)).estimate()
