"""Scores that need no model, such as the number of hot spots: a model must beat them, with intervals apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Estimate, Values, Weights
from scintilab.evaluate.delong import delong
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.scans import Scores, Truth


@dataclass(frozen=True)
class Beaten:
    """At one site: the baseline's AUC, the model's minus it, and DeLong's p of no difference on first scans."""

    auc: Estimate
    difference: Estimate
    delong_p: float


@dataclass(frozen=True)
class Baseline:
    """One baseline at each site, and its means over the sites that the model was not made on."""

    sites: dict[str, Beaten]
    mean_auc: Estimate
    mean_difference: Estimate


def baseline(drawn: Drawn, score: Scores) -> Baseline:
    """Set the model against a score, [n], higher meaning sick; both in the same draws of patients."""
    areas = drawn.by_site(area_under_curve, score)
    differences = drawn.by_site(_difference, np.stack([drawn.scans.probability, score], axis=1))
    first = drawn.scans.first()
    pairs = {site: drawn.scans.part(here).pairs() for site, here in drawn.sites().items()}
    p = {
        site: delong(drawn.scans.truth[rows], drawn.scans.probability[rows], score[rows]).p
        for site, rows in ((site, here & first) for site, here in drawn.sites().items())
    }
    return Baseline(
        sites={site: Beaten(areas[site].rate(pairs[site]), differences[site].estimate(), p[site]) for site in areas},
        mean_auc=drawn.mean(areas),
        mean_difference=drawn.mean(differences),
    )


def _difference(truth: Truth, scores: NDArray[np.floating], weights: Weights) -> Values:
    model, other = scores.T
    return area_under_curve(truth, model, weights) - area_under_curve(truth, other, weights)
