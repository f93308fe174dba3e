"""Scans with their resamples: what every measure with an interval is taken of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import RESAMPLES, Estimate, Resampled, Values, Weights, resampled_weights
from scintilab.evaluate.scans import Scans, Truth

Measure = Callable[[Truth, NDArray[Any], Weights], Values]


@dataclass(frozen=True)
class Drawn:
    """Scans, and how often each counts in every draw of patients.

    Args:
        scans: n of them.
        weights: [resamples, n].
        made_on: the site that the model was made on; means are over the others.
        seed: of the draws.
    """

    scans: Scans
    weights: Weights
    made_on: str
    seed: int

    def only(self, rows: NDArray[np.bool_]) -> "Drawn":
        """Keep some scans, in the same draws."""
        return Drawn(self.scans.part(rows), self.weights[:, rows], self.made_on, self.seed)

    def take(self, measure: Measure, answer: NDArray[Any]) -> Resampled:
        """Take `measure(truth, answer, weights)` of all scans, each counted once, and of every draw."""
        truth = self.scans.truth
        return Resampled(float(measure(truth, answer, np.ones(len(truth)))), measure(truth, answer, self.weights))

    def by_site(self, measure: Measure, answer: NDArray[Any]) -> dict[str, Resampled]:
        """Take a measure of each site by itself."""
        return {site: self.only(here).take(measure, answer[here]) for site, here in self.sites().items()}

    def sites(self) -> dict[str, Truth]:
        """Return which scans are whose."""
        return {site: self.scans.site == site for site in self.scans.sites()}

    def others(self) -> list[str]:
        """Return the sites that the model was not made on, or its own where there is no other."""
        return [site for site in self.scans.sites() if site != self.made_on] or self.scans.sites()

    def mean(self, sites: Mapping[str, Resampled]) -> Estimate:
        """Average over the other sites, each by its number of scans: nobody is compared across sites.

        Sites are drawn independently, so draw k of one may stand beside draw k of another.
        """
        known = [site for site in self.others() if site in sites and np.isfinite(sites[site].value)]
        if not known:
            return Estimate(np.nan, np.nan, np.nan)
        count = np.array([(self.scans.site == site).sum() for site in known])
        share = count / count.sum()
        values, samples = [sites[site].value for site in known], np.stack([sites[site].samples for site in known])
        return Resampled(float(share @ values), share @ samples).estimate()


def draw(scans: Scans, *, made_on: str = "A", resamples: int = RESAMPLES, seed: int = 0) -> Drawn:
    """Draw the patients of each site, from a stream of its own."""
    weights = np.empty((resamples, len(scans)))
    for site in scans.sites():
        here = scans.site == site
        weights[:, here] = resampled_weights(
            scans.patient[here], scans.truth[here], resamples=resamples, seed=(seed, *site.encode())
        )
    return Drawn(scans, weights, made_on, seed)


def share(_truth: Truth, answer: NDArray[Any], weights: Weights) -> Values:
    """Return the mean of an answer, such as of hits: the measure of a plain rate."""
    return np.asarray(weights @ answer.astype(float) / weights.sum(-1))[()]
