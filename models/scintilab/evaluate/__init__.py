"""How well a classifier does, with intervals: numbers that a model's card may quote.

Scans come as a plain table (`scans`), so that simulated cohorts and a hospital's archive are judged alike;
`evaluation` measures, `report` and `card` show, and the files beside them are one measure each.
"""

from scintilab.evaluate.bootstrap import Estimate, bootstrap
from scintilab.evaluate.discrimination import (
    area_under_curve,
    best_threshold,
    sensitivity,
    specificity,
    threshold_at_specificity,
)
from scintilab.evaluate.scans import Scans

__all__ = [
    "Estimate",
    "Scans",
    "area_under_curve",
    "best_threshold",
    "bootstrap",
    "sensitivity",
    "specificity",
    "threshold_at_specificity",
]
