"""Finds hot spots in the picture by a plain rule, as the eye would at first glance: injection and bladder included."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter

from scintilab.evaluate.bootstrap import Values

AT_ONCE = 16
SQUARE = 2
"""Columns to a row of the same length: a canvas pixel of a whole-body scan is twice as tall as wide."""
SMOOTH, NEAR, AROUND = 1.5, 15, 21
"""Standard deviation of the smoothing, and sides of the squares where a spot is highest and compared; 4.8 mm each."""
BODY = 0.3
"""Times the mean of the view; what is below is air."""
HOT = 2.0
"""Times the mean of its surroundings, as far as they are body."""
FIELDS = (16, 4)
"""Of a view, down and across: 15 cm of the body each way."""
BRIGHT, OF_ALL = 1.5, 97
"""Times this percentile of the view, which is about the brightest tenth of the body."""


def hot_spots(canvas: NDArray[np.floating]) -> Values:
    """Return how many there are in each scan, [n], over both views; canvas [n, 2, 512, 256] of counts."""
    return np.asarray(places(canvas).sum(axis=1))


def places(canvas: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how many there are in each field of both views, [n, fields], and so where, but not how hot."""
    starts = range(0, len(canvas), AT_ONCE)
    found = [_by_field(_found(canvas[start : start + AT_ONCE])) for start in starts]
    return np.concatenate(found or [np.empty((0, 2 * FIELDS[0] * FIELDS[1]))])


def _found(canvas: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the middle of every hot spot, [n, views, rows, cols / SQUARE]."""
    n, views, rows, cols = canvas.shape
    square = canvas.astype(np.float32).reshape(n, views, rows, cols // SQUARE, SQUARE).mean(-1)
    smooth = gaussian_filter(square, (0, 0, SMOOTH, SMOOTH))
    body = (smooth > BODY * smooth.mean((2, 3), keepdims=True)).astype(np.float32)
    around = _mean(square * body) / np.maximum(_mean(body), 1 / AROUND**2)
    bright = BRIGHT * np.percentile(smooth, OF_ALL, axis=(2, 3), keepdims=True)
    highest = smooth == maximum_filter(smooth, (1, 1, NEAR, NEAR))
    return np.asarray(highest & (smooth > HOT * around) & (smooth > bright))


def _by_field(found: NDArray[np.bool_]) -> NDArray[np.float64]:
    n, views, rows, cols = found.shape
    down, across = FIELDS
    fields = found.reshape(n, views, down, rows // down, across, cols // across)
    return np.asarray(fields.sum(axis=(3, 5), dtype=np.float64)).reshape(n, -1)


def _mean(square: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(uniform_filter(square, (1, 1, AROUND, AROUND)))
