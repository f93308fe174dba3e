"""Copies of training scans, hidden among synthetic ones: an audit that does not find them is worth nothing."""

from typing import NamedTuple

import numpy as np

from scintiflow.inference.session import Floats
from scintilab.evaluate.scans import Truth

SHARE = 0.01
DOWN, ACROSS = 3, 2
"""Coarse pixels, 9.6 mm each, that a copy is moved at most."""
NOISE = 0.03
"""Relative deviation of every pixel of a copy."""


class Planted(NamedTuple):
    """Scans of which some are copies."""

    canvas: Floats
    """[n, 2, 256, 64]."""
    copies: Truth
    """Which, [n]."""


def planted(canvas: Floats, training: Floats, *, share: float = SHARE, seed: int = 0) -> Planted:
    """Replace a share of scans, one at least, by training scans that are moved and lightly noised.

    Args:
        canvas: coarse synthetic scans, expected counts, [n, 2, 256, 64].
        training: scans that were learnt from, [m, 2, 256, 64].
        share: of `canvas`.
        seed: decides which.
    """
    chance = np.random.default_rng(seed)
    rows = chance.choice(len(canvas), max(1, round(share * len(canvas))), replace=False)
    mixed, copies = canvas.copy(), np.zeros(len(canvas), np.bool_)
    for row in rows:
        shift = chance.integers(-DOWN, DOWN + 1), chance.integers(-ACROSS, ACROSS + 1)
        original = training[chance.integers(len(training))]
        # The patient moves on the table: to the left in one view is to the right in the other.
        moved = np.stack([np.roll(original[0], shift, (0, 1)), np.roll(original[1], (shift[0], -shift[1]), (0, 1))])
        mixed[row] = moved * np.maximum(1 + NOISE * chance.standard_normal(moved.shape), 0)
    copies[rows] = True
    return Planted(mixed, copies)
