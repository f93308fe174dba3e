"""How a site scans: which camera, how much activity, how long after it and how fast."""

import numpy as np

from scintilab.phantom.camera import CAMERAS, Acquisition
from scintilab.phantom.priors import lognormal, priors
from scintilab.phantom.streams import stream


def draw_acquisition(seed: int, site: str, number: int, visit: int = 0) -> Acquisition:
    """Draw how a patient of a site is scanned at one visit; no disease changes it."""
    habits, rng = priors()["sites"][site], stream(seed, site, number, "acquisition", visit)
    return Acquisition(
        CAMERAS[str(rng.choice(habits["scanners"]))],
        activity_mbq=lognormal(rng, habits["activity_mbq"]),
        hours=lognormal(rng, habits["hours"]),
        speed_mm_s=lognormal(rng, habits["speed_mm_s"]),
        top_mm=float(rng.uniform(40, 120)),
        processing=habits["processing"],
    )


def noise_of(seed: int, site: str, number: int, visit: int = 0) -> np.random.Generator:
    """Return the stream of a scan's noise."""
    return stream(seed, site, number, "noise", visit)
