"""Scans brought to one place and size, so that a copy lies beside its original wherever the patient lay."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from scintiflow.inference.session import Floats
from scintilab.evaluate.learner import Features
from scintilab.studies.body import extent

SHAPE = (96, 32)
"""Rows from crown to soles, and columns as large, round the middle line."""


def registered(canvas: Floats) -> Features:
    """Return square roots of counts, each view by its own mean, [n, 2 * 96 * 32].

    Args:
        canvas: coarse scans, [n, 2, 256, 64]; what is expected, for noise would hide copies.
    """
    return np.stack([_of_one(scan, *where) for scan, *where in zip(canvas, *extent(canvas), strict=True)])


def _of_one(scan: Floats, top: int, bottom: int, middle: float) -> NDArray[np.float64]:
    step = (bottom - top) / SHAPE[0]
    views = np.stack([scan[0], scan[1, :, ::-1]])
    root = np.sqrt(np.maximum(views, 0) / views.mean((1, 2), keepdims=True))
    start = np.array([top + step / 2 - 0.5, middle - 0.5 - step * (SHAPE[1] - 1) / 2])
    placed = [affine_transform(view, (step, step), start, SHAPE, order=1, mode="nearest") for view in root]
    return np.asarray(placed, np.float64).ravel()
