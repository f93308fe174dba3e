"""What an arm gains over real scans alone: differences of AUC in the same draws of trainings and of patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Estimate, Resampled, Values
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.drawn import Drawn

MEAN = "mean"
"""In place of a site: the mean over the sites that no arm has learnt from, each by its scans."""


@dataclass(frozen=True)
class Gain:
    """One arm at one site.

    Args:
        auc: mean over the trainings.
        apart: minus that of real scans alone; None for these themselves.
        percent: the same, in percent of theirs.
        p: how likely as much is without any difference, two-sided, by Holm's rule for all sites and sizes of the arm.
    """

    auc: Estimate
    apart: Estimate | None = None
    percent: Estimate | None = None
    p: float | None = None


def gains(drawn: Drawn, real: Sequence[Values], arm: Sequence[Values] | None, *, seed: int = 0) -> dict[str, Gain]:
    """Measure one arm at every site, and over those that no arm has learnt from; `p` is of each line by itself.

    A draw takes as many trainings as there are, of both arms the same, and patients of every site anew.

    Args:
        drawn: who judges, and the draws of patients.
        real: scores of real scans alone, [n], one a training seed.
        arm: of the arm, by the same seeds in the same order; None measures real scans alone.
        seed: of the draws of trainings.
    """
    again = np.random.default_rng(seed).integers(len(real), size=(len(drawn.weights), len(real)))
    alone = _areas(drawn, real, again)
    if arm is None:
        return {site: Gain(area.estimate()) for site, area in alone.items()}
    return {site: _gain(area, alone[site]) for site, area in _areas(drawn, arm, again).items()}


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values of which each may be read as if it stood alone (Holm 1979, Scand J Stat 6:65)."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(np.asarray(p)[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return [float(value) for value in adjusted]


def together(lines: Mapping[int, Mapping[str, Gain]]) -> dict[int, dict[str, Gain]]:
    """Return the lines of one arm, by size and site, with p-values that hold together."""
    places = [(size, site) for size, there in lines.items() for site in there]
    said = [lines[size][site].p for size, site in places]
    adjusted = dict(zip(places, holm([1.0 if p is None else p for p in said]), strict=True))
    return {
        size: {site: replace(line, p=adjusted[size, site]) for site, line in there.items()}
        for size, there in lines.items()
    }


def _areas(drawn: Drawn, scores: Sequence[Values], again: NDArray[np.integer]) -> dict[str, Resampled]:
    """Return the mean AUC of all trainings, and in each draw that of those drawn: at each site, and over the others."""
    each = [drawn.by_site(area_under_curve, score) for score in scores]
    areas = {site: _of_drawn([there[site] for there in each], again) for site in each[0]}
    count = {site: int((drawn.scans.site == site).sum()) for site in drawn.others()}
    shares = {site: number / sum(count.values()) for site, number in count.items()}
    mean = Resampled(
        sum(share * areas[site].value for site, share in shares.items()),
        np.sum([share * areas[site].samples for site, share in shares.items()], axis=0),
    )
    return {**areas, MEAN: mean}


def _of_drawn(areas: Sequence[Resampled], again: NDArray[np.integer]) -> Resampled:
    samples = np.stack([area.samples for area in areas], axis=1)
    return Resampled(float(np.mean([area.value for area in areas])), np.take_along_axis(samples, again, 1).mean(1))


def _gain(arm: Resampled, alone: Resampled) -> Gain:
    apart = Resampled(arm.value - alone.value, arm.samples - alone.samples)
    with np.errstate(divide="ignore", invalid="ignore"):  # where real scans alone tell nothing right
        percent = Resampled(float(np.divide(100 * apart.value, alone.value)), 100 * apart.samples / alone.samples)
    return Gain(arm.estimate(), apart.estimate(), percent.estimate(), _p(apart))


def _p(apart: Resampled) -> float:
    """Return how often draws lie on the other side of nothing, twice, and at least once in all draws."""
    below, above = (apart.samples <= 0).sum(), (apart.samples >= 0).sum()
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(apart.samples) + 1)))
