"""Where the heart is on an anterior view, and how much brighter than the same place on the right."""

import numpy as np
from numpy.typing import NDArray

from scintilab.phantom.camera import COLS, ROWS, Acquisition
from scintilab.phantom.patient import Patient
from scintilab.phantom.template import template

ROI_MM = 34.0
"""Radius of both regions: inside the heart's outline, clear of the breastbone."""
_ASIDE_MM = 10.0
"""The regions lie this far to the side of the heart's middle, away from the breastbone."""


def heart_ratio(anterior: NDArray[np.number], patient: Patient, how: Acquisition) -> float:
    """Measure the mean counts over the heart beside those of the mirrored region (Bokhari et al. 2013).

    Args:
        anterior: counts, [1024, 256].
        patient: who lies there; says where the heart is, as a technologist sees it.
        how: says how large a pixel is.
    """
    row, col = heart_at(patient, how)
    middle = patient.pose.place("trunk", 1268.0)[0, 3]
    aside = (col - COLS / 2) * how.camera.pixel + _ASIDE_MM - middle
    over, across = (
        _mean_around(anterior, row, COLS / 2 + (middle + x) / how.camera.pixel, how) for x in (aside, -aside)
    )
    return over / max(across, 1e-9)


def heart_at(patient: Patient, how: Acquisition) -> tuple[float, float]:
    """Return row and column (fractions of a pixel) of the left ventricle's middle in the anterior view."""
    x, _, z = patient.matrix[template().names.index("left ventricle"), :, 3]
    return (
        float(ROWS / 2 - (z - patient.height_mm / 2) / how.camera.pixel),
        float(COLS / 2 + x / how.camera.pixel),
    )


def _mean_around(view: NDArray[np.number], row: float, col: float, how: Acquisition) -> float:
    rows, cols = np.ogrid[:ROWS, :COLS]
    near = (rows + 0.5 - row) ** 2 + (cols + 0.5 - col) ** 2 < (ROI_MM / how.camera.pixel) ** 2
    return float(view[near].mean())
