"""Do synthetic scans lie among real ones (precision, density), and are real ones among them (recall, coverage)?

Naeem et al. 2020, arXiv 2002.09797: round each scan lies a ball that reaches to its fifth neighbour of the same set.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Values, Weights
from scintilab.evaluate.learner import Features

NEIGHBOURS = 5


class Manifold(NamedTuple):
    """Four numbers, or [resamples] of each; sets of one kind have precision and recall alike, and a density of 1."""

    precision: Values
    """Share of synthetic scans in the ball of any real one."""
    recall: Values
    """Share of real scans in the ball of any synthetic one."""
    density: Values
    """In how many real balls a synthetic scan lies, as a share of NEIGHBOURS."""
    coverage: Values
    """Share of real scans with a synthetic one in their ball."""


def manifold(real: Features, synthetic: Features, drawn: tuple[Weights, Weights], *, k: int = NEIGHBOURS) -> Manifold:
    """Measure one set against another.

    Args:
        real: [n, columns].
        synthetic: [m, columns].
        drawn: weights of both, [n] and [m] or [resamples, ...]; balls are those of all rows, whatever is drawn, for a
            row drawn twice would be its own neighbour.
        k: which neighbour a ball reaches to.
    """
    apart = distances(real, synthetic)
    real_ball, synthetic_ball = _reach(real, k), _reach(synthetic, k)
    inside = apart < real_ball[:, None]
    of_real, of_synthetic = drawn
    return Manifold(
        precision=_mean(inside.any(0), of_synthetic),
        recall=_mean((apart < synthetic_ball[None]).any(1), of_real),
        density=_mean(inside.sum(0) / k, of_synthetic),
        coverage=_mean(inside.any(1), of_real),
    )


def distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far each row is from each, [n, m]."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def _reach(features: Features, k: int) -> NDArray[np.float64]:
    """Return how far the k-th neighbour of each row is, [n]; a row is not its own."""
    apart = distances(features, features)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(np.partition(apart, k - 1, axis=1)[:, k - 1])


def _mean(values: Any, weights: Weights) -> Values:
    return np.asarray(weights @ np.asarray(values, float) / weights.sum(-1))[()]
