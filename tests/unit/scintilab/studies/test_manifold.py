"""What precision, recall, density and coverage promise."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from scintilab.studies.manifold import Manifold, distances, manifold

RNG = np.random.default_rng(5)
REAL, SAME = RNG.normal(size=(2, 150, 4))
ONCE = np.ones(150), np.ones(150)


def reference(real: np.ndarray, synthetic: np.ndarray, k: int) -> Manifold:
    """Return the four numbers by plain loops and scikit-learn's neighbours."""
    reach = {
        name: NearestNeighbors(n_neighbors=k + 1).fit(rows).kneighbors(rows)[0][:, -1]
        for name, rows in (("real", real), ("synthetic", synthetic))
    }
    inside = np.array(
        [[np.linalg.norm(r - s) < ball for s in synthetic] for r, ball in zip(real, reach["real"], strict=True)]
    )
    among = [any(np.linalg.norm(r - s) < b for s, b in zip(synthetic, reach["synthetic"], strict=True)) for r in real]
    return Manifold(inside.any(0).mean(), np.mean(among), inside.sum() / (k * len(synthetic)), inside.any(1).mean())


def test_numbers_are_those_of_the_paper() -> None:
    """They equal plain loops over every pair of scans."""
    found = manifold(REAL[:40], SAME[:30], (np.ones(40), np.ones(30)), k=3)
    assert [float(value) for value in found] == pytest.approx([float(v) for v in reference(REAL[:40], SAME[:30], 3)])


def test_sets_of_one_kind_lie_among_each_other() -> None:
    """Precision and recall are alike, density is about 1, and nearly every real scan is covered."""
    precision, recall, density, coverage = (float(value) for value in manifold(REAL, SAME, ONCE))
    assert precision == pytest.approx(recall, abs=0.1)
    assert density == pytest.approx(1, abs=0.15)
    assert coverage > 0.9


def test_one_scan_again_and_again_is_precise_and_covers_nothing() -> None:
    """A generator that has collapsed lies among real scans, and no others lie among its own."""
    collapsed = REAL[:1] + 0.01 * RNG.normal(size=(150, 4))
    precision, recall, _, coverage = (float(value) for value in manifold(REAL, collapsed, ONCE))
    assert precision > 0.9
    assert recall < 0.1
    assert coverage < 0.2


def test_draws_have_the_same_balls() -> None:
    """Everybody drawn once is the number itself, and one that was drawn twice is not his own neighbour."""
    weights = np.ones((2, 150))
    weights[1, :75], weights[1, 75:] = 2, 0
    found = manifold(REAL, SAME, (weights, weights))
    once = manifold(REAL, SAME, ONCE)
    for several, one in zip(found, once, strict=True):
        assert several[0] == pytest.approx(float(one))
        assert several[1] != pytest.approx(float(one), abs=1e-9) or float(one) in (0, 1)


def test_distances_are_euclidean() -> None:
    """They equal norms of differences, and a row is at no distance from itself."""
    assert distances(REAL[:3], SAME[:2])[2, 1] == pytest.approx(np.linalg.norm(REAL[2] - SAME[1]))
    assert np.diag(distances(REAL[:3], REAL[:3])) == pytest.approx(np.zeros(3), abs=1e-6)
