"""Makes a probability mean what it says: of the patients with 0.8, eight of ten are sick.

A network that learns from as many sick as healthy scans, some of them again and again, is too sure of itself, and finds
sickness too common. Platt scaling (Platt, Advances in Large Margin Classifiers, 1999) mends both with two numbers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from scintilab.evaluate.scans import Scores, Truth

SLOPES = (0.05, 20.0)
"""Never below nought, so that order stays: on a handful of patients a network may be worse than chance."""


class Line(NamedTuple):
    """What becomes of a logit: slope times it, plus intercept."""

    slope: float
    intercept: float

    def along(self, logit: Scores) -> Scores:
        """Return probabilities for logits, [n]."""
        return np.asarray(expit(self.slope * logit + self.intercept))


def platt(truth: Truth, logit: Scores) -> Line:
    """Fit the line to patients that were not learnt from; some of them sick and some not.

    Sick counts as a little less than 1 and healthy as a little more than 0 (Platt's equation 8): where a network tells
    all of a few apart, the slope stays finite.

    Args:
        truth: who is sick, [n].
        logit: what the network says, [n].
    """
    sick, healthy = truth.sum(), (~truth).sum()
    target = np.where(truth, (sick + 1) / (sick + 2), 1 / (healthy + 2))

    def surprise(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        said = line[0] * logit + line[1]
        wrong = expit(said) - target
        loss = (np.logaddexp(0, said) - target * said).mean()
        return float(loss), np.array([(wrong * logit).mean(), wrong.mean()])

    found = minimize(surprise, x0=(1.0, 0.0), jac=True, method="L-BFGS-B", bounds=(SLOPES, (None, None)))
    return Line(*map(float, found.x))
