"""What bringing scans to one place promises."""

import numpy as np
import pytest

from scintilab.studies.coarse import coarse
from scintilab.studies.registered import SHAPE, registered
from tests.unit.scintilab.studies.painter import painted

SCANS = coarse(painted(12, 7).expected())


def test_moved_copy_lies_beside_its_original() -> None:
    """A patient moved on the table, in both views, is nearer to the original than anybody else is."""
    moved = np.stack([np.roll(SCANS[:, 0], (5, 2), (1, 2)), np.roll(SCANS[:, 1], (5, -2), (1, 2))], axis=1)
    original, copy = registered(SCANS), registered(moved)
    apart = np.linalg.norm(original[:, None] - copy[None], axis=2)
    assert np.array_equal(apart.argmin(1), np.arange(12))
    assert np.diag(apart).max() < 0.3 * np.sort(apart, axis=1)[:, 1].min()


def test_counts_do_not_matter() -> None:
    """Three times the counts are the same features."""
    found = registered(SCANS)
    assert found.shape == (12, 2 * SHAPE[0] * SHAPE[1])
    assert registered(3 * SCANS) == pytest.approx(found, rel=1e-4)
