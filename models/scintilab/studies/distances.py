"""How far two sets of scans are apart in a space of features: Frechet's distance and the kernel distance.

Rows carry weights, how often each counts, so that patients can be drawn again and again.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from scintilab.evaluate.bootstrap import Values, Weights
from scintilab.evaluate.learner import Features


def frechet(first: Features, second: Features) -> float:
    """Return the squared distance of two normal distributions with these means and covariances.

    ||m1 - m2||^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Dowson and Landau 1982; Heusel et al. 2017, arXiv 1706.08500), with
    covariances shrunk as in Ledoit and Wolf (J Multivar Anal 88:365, 2004), for there are few rows for each column.
    """
    one, other = ledoit_wolf(first)[0], ledoit_wolf(second)[0]
    root = _root(one)
    # (S1 S2)^(1/2) has the trace of (S1^(1/2) S2 S1^(1/2))^(1/2), which is symmetric.
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    apart = first.mean(0) - second.mean(0)
    return float(apart @ apart + np.trace(one) + np.trace(other) - 2 * common)


def frechet_drawn(first: Features, second: Features, drawn: tuple[Weights, Weights]) -> Values:
    """Return Frechet's distance for each draw of rows, [resamples], or one for weights [n].

    Drawing again makes it larger, for fewer different rows are drawn; compare draws with draws.
    """
    pairs = zip(*map(np.atleast_2d, drawn), strict=True)
    found = np.array([frechet(_rows(first, one), _rows(second, other)) for one, other in pairs])
    return np.asarray(found.reshape(drawn[0].shape[:-1]))[()]


def kernel(first: Features, second: Features, drawn: tuple[Weights, Weights]) -> Values:
    """Return the kernel distance, [resamples] or one for weights [n]: squared maximum mean discrepancy, unbiased.

    The kernel is (x y / k + 1)^3 for k columns (Binkowski et al. 2018, arXiv 1801.01401). It may be negative: two sets
    of one kind are 0 apart on average. A row that was drawn twice is not compared with itself.
    """
    one, other = (np.atleast_2d(weights) for weights in drawn)
    across = np.einsum("ri,ij,rj->r", one, _cubic(first, second), other, optimize=True)
    across = across / (one.sum(1) * other.sum(1))
    return np.asarray((_within(first, one) + _within(second, other) - 2 * across).reshape(drawn[0].shape[:-1]))[()]


def standardised(*sets: Features, like: Features) -> tuple[Features, ...]:
    """Return sets with each column in deviations of `like`; columns that never change there are left out."""
    middle, deviation = like.mean(0), like.std(0)
    kept = deviation > 0
    return tuple((features[:, kept] - middle[kept]) / deviation[kept] for features in sets)


def _within(features: Features, weights: Weights) -> Values:
    """Return the mean kernel of different rows of one set, for each draw."""
    similar = _cubic(features, features)
    np.fill_diagonal(similar, 0)
    pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
    return np.asarray(np.einsum("ri,ij,rj->r", weights, similar, weights, optimize=True) / pairs)


def _cubic(first: Features, second: Features) -> NDArray[np.float64]:
    return np.asarray((first @ second.T / first.shape[1] + 1) ** 3)


def _rows(features: Features, weights: Weights) -> Features:
    return np.asarray(np.repeat(features, weights.astype(int), axis=0))


def _root(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(symmetric)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
