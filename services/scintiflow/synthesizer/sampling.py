"""From the expected counts on the canvas to the counts of a camera."""

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats
from scintiflow.synthesizer.poisson import poisson


def unfold(canvas: Floats) -> Floats:
    """Make two camera rows of each canvas row, on the straight line through its neighbours; their mean stays.

    Args:
        canvas: [views, rows, cols], mean counts of a canvas pixel, >= 0.

    Returns:
        [views, 2 rows, cols]; no value is negative, so beside a steep rise the line is flatter.
    """
    around = np.concatenate([canvas[:, :1], canvas, canvas[:, -1:]], axis=1)
    quarter = (around[:, 2:] - around[:, :-2]) / 8
    np.clip(quarter, -canvas, canvas, out=quarter)
    views, rows, cols = canvas.shape
    unfolded = np.empty((views, 2 * rows, cols), np.float32)
    np.subtract(canvas, quarter, out=unfolded[:, ::2])
    np.add(canvas, quarter, out=unfolded[:, 1::2])
    return unfolded


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
    expected *= 2 * counts / expected.sum(dtype=np.float64)
    return poisson(expected, random)
