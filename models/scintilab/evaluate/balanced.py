"""The paper's reader set: 134 patients, half of them sick, drawn from a site again and again (Ibrahim 2023)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Estimate, Seed, Values, Weights
from scintilab.evaluate.discrimination import area_under_curve, confusion
from scintilab.evaluate.scans import Scans

SIZE = 134
DRAWS = 100


@dataclass(frozen=True)
class Balanced:
    """The median over the draws, and the middle 95 % of them."""

    auc: Estimate
    tpr: Estimate
    tnr: Estimate
    f1: Estimate


def balanced(
    scans: Scans, threshold: float, *, size: int = SIZE, draws: int = DRAWS, seed: Seed = 0
) -> Balanced | None:
    """Measure balanced sets of `size` first scans of one site; None where it has too few sick or healthy patients."""
    scans = scans.part(scans.first())
    weights = _draws(scans, size // 2, draws, seed)
    if weights is None:
        return None
    counts = confusion(scans.truth, scans.probability >= threshold, weights)
    auc = area_under_curve(scans.truth, scans.probability, weights)
    return Balanced(_middle(auc), _middle(counts.tpr), _middle(counts.tnr), _middle(counts.f1))


def _draws(scans: Scans, each: int, draws: int, seed: Seed) -> Weights | None:
    """Return 1 for the scans of each draw and 0 for the others, [draws, n]."""
    by_name = np.argsort(scans.patient)
    groups: list[NDArray[np.intp]] = [by_name[scans.truth[by_name] == sick] for sick in (True, False)]
    if min(map(len, groups)) < each:
        return None
    weights = np.zeros((draws, len(scans)))
    key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    for number, row in enumerate(weights):
        chance = np.random.Generator(np.random.Philox(key=key, counter=(0, 0, 0, number)))
        for group in groups:
            row[chance.choice(group, each, replace=False)] = 1
    return weights


def _middle(values: Values) -> Estimate:
    low, middle, high = np.percentile(values, (2.5, 50, 97.5))
    return Estimate(float(middle), float(low), float(high))
