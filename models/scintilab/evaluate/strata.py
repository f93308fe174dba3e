"""The same measures by strata: few lesions, low counts, another tracer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Estimate
from scintilab.evaluate.discrimination import area_under_curve, sensitivity, specificity
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.scans import Truth

SMALLEST = 10
"""Patients that a measure needs; below, only their number is reported."""


@dataclass(frozen=True)
class Stratum:
    """One band of one column at one site. A measure is None where too few patients are.

    A band without healthy scans (lesion load) has its AUC against all healthy scans of the site.
    """

    n: int
    sick: int
    auc: Estimate | None
    tpr: Estimate | None
    tnr: Estimate | None


def bands(column: NDArray[Any], edges: Sequence[float] = ()) -> dict[str, Truth]:
    """Return which rows belong to each band: between edges for numbers, by name otherwise."""
    if column.dtype.kind not in "fiu":
        return {str(name): column == name for name in np.unique(column)}
    if not edges:
        raise ValueError("A column of numbers needs edges to be cut into bands.")
    inner = [f"{low:g} to under {high:g}" for low, high in pairwise(edges)]
    names = [f"under {edges[0]:g}", *inner, f"{edges[-1]:g} or more"]
    place = np.searchsorted(edges, column, side="right")
    return {name: place == number for number, name in enumerate(names)}


def stratum(drawn: Drawn, band: Truth, threshold: float) -> Stratum:
    """Measure one band of one site's scans."""
    truth = drawn.scans.truth
    healthy_too = bool((band & ~truth).any())
    there = drawn.only(band if healthy_too else band | ~truth)
    sick, healthy = there.scans.patients(sick=True), there.scans.patients(sick=False)
    positive = there.scans.probability >= threshold
    pairs, area = there.scans.pairs(), there.take(area_under_curve, there.scans.probability)
    return Stratum(
        n=int(band.sum()),
        sick=int((band & truth).sum()),
        auc=area.rate(pairs) if pairs >= SMALLEST else None,
        tpr=there.take(sensitivity, positive).rate(sick) if sick >= SMALLEST else None,
        tnr=there.take(specificity, positive).rate(healthy) if healthy_too and healthy >= SMALLEST else None,
    )
