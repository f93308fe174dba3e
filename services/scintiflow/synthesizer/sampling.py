"""From the expected counts on the canvas to the counts of a camera."""

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats

_MOST = np.iinfo(np.uint16).max


def unfold(canvas: Floats) -> NDArray[np.float64]:
    """Make two camera rows of each canvas row, on the straight line through its neighbours; their mean stays.

    Args:
        canvas: [views, rows, cols], mean counts of a canvas pixel, >= 0.

    Returns:
        [views, 2 rows, cols]; no value is negative, so beside a steep rise the line is flatter.
    """
    rows = canvas.astype(np.float64)
    around = np.concatenate([rows[:, :1], rows, rows[:, -1:]], axis=1)
    quarter = np.clip((around[:, 2:] - around[:, :-2]) / 8, -rows, rows)
    views, count, cols = rows.shape
    return np.stack([rows - quarter, rows + quarter], axis=2).reshape(views, 2 * count, cols)


def sample(canvas: Floats, counts: int, random: np.random.Generator) -> NDArray[np.uint16]:
    """Draw the counts that a camera would collect.

    Args:
        canvas: [2, rows, cols], expected counts of both views on any scale.
        counts: mean counts of a view that are expected.
        random: the stream of the counts.

    Returns:
        uint16 [2, 2 rows, cols], Poisson.
    """
    expected = unfold(canvas)
    expected *= 2 * counts / expected.sum()
    return np.minimum(random.poisson(expected), _MOST).astype(np.uint16)
