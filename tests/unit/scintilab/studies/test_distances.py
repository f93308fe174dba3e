"""What distances between sets of scans promise."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf
from sklearn.metrics.pairwise import polynomial_kernel

from scintilab.studies.distances import frechet, frechet_drawn, kernel, standardised

RNG = np.random.default_rng(4)
FIRST = RNG.normal(size=(80, 6))
SECOND = RNG.normal(0.3, 1.5, (60, 6))
ONCE = np.ones(80), np.ones(60)


def test_frechet_is_that_of_two_normal_distributions() -> None:
    """It equals the formula with scipy's square root of a matrix, and is 0 for the same set."""
    one, other = ledoit_wolf(FIRST)[0], ledoit_wolf(SECOND)[0]
    apart = FIRST.mean(0) - SECOND.mean(0)
    wanted = apart @ apart + np.trace(one + other - 2 * np.real(sqrtm(one @ other)))
    assert frechet(FIRST, SECOND) == pytest.approx(wanted)
    assert frechet(FIRST, FIRST) == pytest.approx(0, abs=1e-9)


def test_frechet_of_moved_rows_is_the_square_of_the_way() -> None:
    """A set moved as a whole is as far away as it was moved."""
    assert frechet(FIRST, FIRST + 2) == pytest.approx(6 * 4)


def test_kernel_distance_is_the_unbiased_estimate() -> None:
    """It equals the mean over different rows with scikit-learn's kernel."""
    within = [polynomial_kernel(part, degree=3, gamma=1 / 6, coef0=1) for part in (FIRST, SECOND)]
    across = polynomial_kernel(FIRST, SECOND, degree=3, gamma=1 / 6, coef0=1).mean()
    means = [(part.sum() - np.trace(part)) / (len(part) * (len(part) - 1)) for part in within]
    assert float(kernel(FIRST, SECOND, ONCE)) == pytest.approx(sum(means) - 2 * across)


def test_kernel_distance_of_one_kind_is_nothing_on_average() -> None:
    """Over forty pairs of small sets of one kind its mean does not differ from 0; of another kind it is above."""
    chance, once = np.random.default_rng(1), (np.ones(30), np.ones(30))
    found = [float(kernel(*chance.normal(size=(2, 30, 4)), once)) for _ in range(40)]
    assert abs(np.mean(found)) < 2.5 * np.std(found) / np.sqrt(40)
    assert float(kernel(FIRST, SECOND, ONCE)) > 3 * np.std(found)


def test_draw_counts_rows_as_often_as_they_were_drawn() -> None:
    """A draw is the set with its rows repeated; a repeated row is not compared with itself."""
    drawn = (RNG.integers(0, 3, (4, 80)).astype(float), RNG.integers(0, 3, (4, 60)).astype(float))
    repeated = [
        [np.repeat(rows, weights.astype(int), axis=0) for rows, weights in ((FIRST, one), (SECOND, other))]
        for one, other in zip(*drawn, strict=True)
    ]
    assert frechet_drawn(FIRST, SECOND, drawn) == pytest.approx([frechet(*pair) for pair in repeated])
    assert np.shape(kernel(FIRST, SECOND, drawn)) == (4,)
    alone = drawn[0].copy()
    alone[:, 1:] = 1
    alone[:, 0] = [0, 1, 2, 3]
    ones = np.ones((4, 60))
    values = kernel(FIRST, SECOND, (alone, ones))
    assert values[1] == pytest.approx(float(kernel(FIRST, SECOND, ONCE)))


def test_columns_are_in_deviations_and_dead_ones_left_out() -> None:
    """Every column counts alike, and one that never changes counts nothing."""
    like = np.hstack([FIRST * 100 + 7, np.ones((80, 1))])
    (scaled,) = standardised(like, like=like)
    assert scaled.shape == (80, 6)
    assert scaled.mean(0) == pytest.approx(np.zeros(6), abs=1e-9)
    assert scaled.std(0) == pytest.approx(np.ones(6))
