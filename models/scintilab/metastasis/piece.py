"""Pieces of scans: the same quarter of the body in both views, at full resolution, preferably about a focus."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scintiflow.dicom.canvas import HEIGHT, WIDTH

ROWS, COLS = 256, 128
"""Canvas pixels of a piece of one view."""
ABOUT_METASTASIS, ABOUT_OTHER = 0.75, 0.5
"""Shares of the pieces that lie about a metastasis, where there is one, and else about another focus."""


class Pieces(NamedTuple):
    """Pieces of n scans."""

    views: Tensor
    """[n, 2, ROWS, COLS]."""
    places: NDArray[np.bool_]
    """[n, 4, ROWS, COLS]: see `material.Scans`."""

    @property
    def metastatic(self) -> NDArray[np.bool_]:
        """Tell which pieces hold a metastasis, [n]."""
        return np.asarray(self.places[:, :2].any(axis=(1, 2, 3)))


def cut(views: Tensor, places: NDArray[np.bool_], chance: np.random.Generator) -> Pieces:
    """Cut a piece out of every scan.

    Args:
        views: [n, 2, 512, 256], anterior and posterior.
        places: [n, 4, 512, 256], metastases and other foci, each on the anterior and on the posterior canvas.
        chance: decides where.
    """
    seen, known = [], []
    for row in range(len(views)):
        top, left = _corner(places[row], chance)
        rows, front, back = (
            slice(at, at + size) for at, size in ((top, ROWS), (left, COLS), (WIDTH - COLS - left, COLS))
        )
        seen.append(torch.stack([views[row, 0, rows, front], views[row, 1, rows, back]]))
        known.append(np.stack([places[row, kind, rows, (front, back)[kind % 2]] for kind in range(4)]))
    return Pieces(torch.stack(seen), np.stack(known))


def _corner(places: NDArray[np.bool_], chance: np.random.Generator) -> tuple[int, int]:
    """Choose top and left of a piece on the anterior canvas; the posterior one is seen from behind."""
    onto_front = places.copy()
    onto_front[1::2] = places[1::2, :, ::-1]
    metastases, others = onto_front[:2].any(axis=0), onto_front[2:].any(axis=0)
    for where, share in ((metastases, ABOUT_METASTASIS), (others, ABOUT_OTHER)):
        if where.any() and chance.random() < share:
            focus = np.argwhere(where)[chance.integers(where.sum())]
            corner = np.clip(focus - chance.integers((ROWS, COLS)), 0, (HEIGHT - ROWS, WIDTH - COLS))
            return int(corner[0]), int(corner[1])
    return int(chance.integers(HEIGHT - ROWS + 1)), int(chance.integers(WIDTH - COLS + 1))
