"""What is asked of a patient's scans, and how often a site's patients have it."""

from dataclasses import dataclass

import numpy as np

from scintilab.phantom.priors import priors
from scintilab.phantom.streams import stream


@dataclass(frozen=True)
class Disease:
    """The same at every visit but for growth."""

    metastatic: bool
    perugini: int
    """0 to 3."""

    @property
    def cardiac(self) -> bool:
        """Tell whether the heart takes up as much as ribs, or more."""
        return self.perugini >= 2


HEALTHY = Disease(metastatic=False, perugini=0)


def draw_disease(seed: int, site: str, number: int) -> Disease:
    """Draw whether a patient of a site has metastases, and the Perugini grade; each by itself, nothing tells them."""
    mix, chance = priors()["sites"][site], stream(seed, site, number, "disease")
    metastatic = bool(chance.random() < mix["metastatic"])
    grade = np.searchsorted(np.cumsum(mix["perugini"]), chance.random(), side="right")
    return Disease(metastatic, min(int(grade), 3))
