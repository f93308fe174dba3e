"""What was measured of synthetic scans, with what real ones get beside it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scintiflow.inference.session import Floats
from scintilab.evaluate.bootstrap import Estimate, Resampled, Seed, Weights, resampled_weights
from scintilab.evaluate.learner import Features

Space = Callable[[Floats], Features]
"""Coarse scans [n, 2, 256, 64] -> features [n, k]."""


@dataclass(frozen=True)
class Compared:
    """One measure: of synthetic scans, of as many real ones, and the first minus the second in the same draws."""

    synthetic: Estimate
    real: Estimate
    apart: Estimate


def compared(synthetic: Resampled, real: Resampled) -> Compared:
    """Set one beside the other; draw k of one may stand beside draw k of the other."""
    apart = Resampled(synthetic.value - real.value, synthetic.samples - real.samples)
    return Compared(synthetic.estimate(), real.estimate(), apart.estimate())


def draws(count: int, resamples: int, seed: Seed = 0) -> Weights:
    """Draw as many scans as there are, one a patient, [resamples, n]."""
    return resampled_weights(np.arange(count), np.zeros(count, np.bool_), resamples=resamples, seed=seed)
