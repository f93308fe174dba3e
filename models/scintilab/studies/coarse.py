"""Scans at 9.6 mm a pixel, square: enough for what the studies ask, and small enough to train hundreds of networks."""

import numpy as np

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintiflow.inference.session import Floats
from scintilab.studies.samples import Samples

SHAPE = (256, 64)
"""Rows and columns of a view."""
CAMERA_PIXELS = 16
"""Whose mean a coarse pixel is, for a matrix of 1024 x 256."""


def coarse(samples: Samples) -> Floats:
    """Return mean counts per canvas pixel, float32 [n, 2, 256, 64]."""
    means = [shrunk(canvas) for canvas in samples.batches()]
    return np.concatenate(means) if means else np.empty((0, 2, *SHAPE), np.float32)


def shrunk(canvas: Floats) -> Floats:
    """Average canvases [n, 2, 512, 256] over 2 x 4 pixels."""
    rows, cols = SHAPE
    cells = canvas.reshape(-1, 2, rows, HEIGHT // rows, cols, WIDTH // cols)
    means: Floats = cells.mean(axis=(3, 5), dtype=np.float32)
    return means
