"""Pieces that the metastasis classifier begins with."""

import numpy as np
import torch
from numpy.typing import NDArray

from scintilab.metastasis.piece import COLS, ROWS, cut

SCANS = 60


def chance() -> np.random.Generator:
    """Decide the same each time."""
    return np.random.default_rng(3)


def nowhere() -> NDArray[np.bool_]:
    """No focus in any scan."""
    return np.zeros((SCANS, 4, 512, 256), bool)


def test_both_views_show_the_same_part_of_the_body() -> None:
    """A column is as far from the patient's side in front as the mirrored one is behind."""
    views = torch.arange(256).float().expand(SCANS, 512, 256)
    pieces = cut(torch.stack([views, views.flip(-1)], dim=1), nowhere(), chance())
    assert pieces.views.shape == (SCANS, 2, ROWS, COLS)
    assert torch.equal(pieces.views[:, 0], pieces.views[:, 1].flip(-1))
    assert len(set(pieces.views[:, 0, 0, 0].tolist())) > 20


def test_most_pieces_of_a_sick_patient_hold_a_metastasis() -> None:
    """Wherever it is, in front or behind, a metastasis is looked at in three pieces of four at least."""
    places = nowhere()
    places[: SCANS // 2, 0, 500:505, 3:6] = True
    places[SCANS // 2 :, 1, 2:6, 200:204] = True
    pieces = cut(torch.zeros(SCANS, 2, 512, 256), places, chance())
    assert 0.6 < pieces.metastatic.mean() < 0.95
    assert pieces.places.shape == (SCANS, 4, ROWS, COLS)


def test_other_foci_are_looked_at_but_are_no_metastases() -> None:
    """Half of the pieces of a healthy patient at least lie about a worn joint, and none is called metastatic."""
    places = nowhere()
    places[:, 2, 10:14, 10:14] = True
    pieces = cut(torch.zeros(SCANS, 2, 512, 256), places, chance())
    assert pieces.places[:, 2].any(axis=(1, 2)).mean() > 0.45
    assert not pieces.metastatic.any()
