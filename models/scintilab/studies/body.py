"""Where the body lies in a scan."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_AIR = 0.1
"""Of the busiest rows: rows with fewer counts are air."""


class Extent(NamedTuple):
    """In pixels, [n] each."""

    top: NDArray[np.intp]
    bottom: NDArray[np.intp]
    """The first row below."""
    middle: NDArray[np.float64]
    """The middle column of what is brighter than a view's mean; in the posterior view, counted from its right."""


def extent(canvas: NDArray[np.floating]) -> Extent:
    """Return where bodies lie, for scans [n, 2, rows, cols], the posterior view as seen from behind."""
    rows, cols = canvas.shape[2:]
    counts = canvas.sum((1, 3))
    inside = counts > _AIR * np.percentile(counts, 90, axis=1, keepdims=True)
    # Pixels, not counts: a hot heart or an injection in one arm must not move the middle.
    bright = canvas > canvas.mean((2, 3), keepdims=True)
    profile = bright[:, 0].sum(1) + bright[:, 1, :, ::-1].sum(1)
    middle = profile @ (np.arange(cols) + 0.5) / profile.sum(1)
    return Extent(inside.argmax(1), rows - inside[:, ::-1].argmax(1), middle)
