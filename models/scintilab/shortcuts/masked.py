"""Pictures without the disease, as features that a plain classifier can take."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from scintilab.evaluate.learner import Features
from scintilab.phantom.cohort import Cohort

Picture = Callable[[Cohort, Cohort, slice], NDArray[np.float32]]
"""Scans and their twins, some rows -> canvases [k, 2, 512, 256]."""

AT_ONCE = 32
BLOCKS = (32, 16)
"""Rows and columns of means in each view."""
CHEST = (0.10, 0.42)
"""Of the body's height from the top of the head: shoulders to waist, so that what scatters from the heart is gone."""
_BODY = 0.1
"""Of the busiest rows: rows with fewer counts are air."""
AROUND = (17, 33)
"""Rows and columns of the square that a pixel of a lesion takes with it: 80 mm, further than a camera blurs."""


def features(scans: Cohort, twins: Cohort, picture: Picture) -> Features:
    """Return the roots of block means, [n, 2 * 32 * 16], each scan by its own mean; counts are tested elsewhere."""
    starts = range(0, len(scans), AT_ONCE)
    parts = [_blocks(picture(scans, twins, slice(start, start + AT_ONCE))) for start in starts]
    return np.concatenate(parts).astype(np.float64)


def without_chest(scans: Cohort, _twins: Cohort, rows: slice) -> NDArray[np.float32]:
    """Return scans with nothing where the chest is, arms beside it included."""
    canvas = scans.canvas[rows].astype(np.float32)
    return canvas * ~_chest(canvas)[:, None, :, None]


def without_lesions(scans: Cohort, twins: Cohort, rows: slice) -> NDArray[np.float32]:
    """Return scans with their twins' pixels at metastases and around."""
    canvas, twin = (cohort.canvas[rows].astype(np.float32) for cohort in (scans, twins))
    marked = np.unpackbits(scans.truth.metastasis_mask[rows], axis=-1)
    return np.where(maximum_filter(marked, (1, 1, *AROUND)) > 0, twin, canvas)


def twin(_scans: Cohort, twins: Cohort, rows: slice) -> NDArray[np.float32]:
    """Return the same patients without disease."""
    return twins.canvas[rows].astype(np.float32)


def _chest(canvas: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which rows are between shoulders and waist, [n, 512], found by where the body begins and ends."""
    counts = canvas.sum((1, 3))
    body = counts > _BODY * np.percentile(counts, 90, axis=1, keepdims=True)
    top, bottom = body.argmax(1), body.shape[1] - body[:, ::-1].argmax(1)
    down = (np.arange(body.shape[1]) - top[:, None]) / (bottom - top)[:, None]
    return np.asarray((down >= CHEST[0]) & (down < CHEST[1]))


def _blocks(canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    n, views, rows, cols = canvas.shape
    high, wide = BLOCKS
    means = canvas.reshape(n, views, high, rows // high, wide, cols // wide).mean((3, 5)).reshape(n, -1)
    return np.asarray(np.sqrt(means / (means.mean(1, keepdims=True) + np.finfo(np.float32).tiny)))
