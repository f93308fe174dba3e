"""How much of a lesion survives the tokeniser, and how near it comes to what the camera expected.

Only simulated patients can tell: their expected counts are known. What is measured is what the flow can reach at best.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from scipy import ndimage

from scintiflow.dicom.canvas import HEIGHT
from scintilab.generator.tokeniser import Tokeniser
from scintilab.generator.train import PHOTONS, deviance, level
from scintilab.parts import SEED
from scintilab.phantom.acquisition import noise_of
from scintilab.phantom.camera import expose
from scintilab.phantom.cohort import visits

PEAK = 1.6
"""Times its surroundings that a lesion must have to be measured, as in the probe that the gate comes from."""
_AROUND = 4
"""Canvas pixels that the surroundings of a lesion reach beyond it."""

Floats = NDArray[np.float32]


class Gate(NamedTuple):
    """What a tokeniser keeps."""

    recovery: NDArray[np.float64]
    """Of each lesion in each view: its rise above its surroundings, as a share of the true one."""
    deviance: float
    """Poisson deviance a pixel of fresh noise under what was unfolded, as a multiple of that under the truth."""

    @property
    def median(self) -> float:
        """Median recovery; 0.9 is asked for."""
        return float(np.median(self.recovery))


def measure(tokeniser: Tokeniser, site: str, patients: range) -> Gate:
    """Fold and unfold scans of these patients, and compare with what the camera expected of them."""
    recovery, found, best = [], 0.0, 0.0
    for number in track(patients, "Measuring what the tokeniser keeps"):
        for rate, counts, fresh, lesions in _scanned(site, number):
            told = unfolded(tokeniser, counts / np.float32(PHOTONS))
            recovery += _recoveries(rate, PHOTONS * told, lesions)
            found += float(deviance(torch.from_numpy(fresh), torch.from_numpy(PHOTONS * told + 1e-3)).sum())
            best += float(deviance(torch.from_numpy(fresh), torch.from_numpy(rate + 1e-3)).sum())
    return Gate(np.array(recovery), found / best)


def unfolded(tokeniser: Tokeniser, canvas: Floats) -> Floats:
    """Return what the tokeniser expects, having seen a canvas [2, 512, 256]."""
    scale = level(canvas[None])
    with torch.inference_mode():
        told = tokeniser.decode(tokeniser.encode(torch.from_numpy(canvas[None] / scale)))
    return np.asarray(told.numpy()[0] * scale[0], np.float32)


def _scanned(site: str, number: int) -> Iterator[tuple[Floats, Floats, Floats, NDArray[np.bool_]]]:
    """Yield each scan's expected counts, two draws of them, and where its metastases are; [2, 512, 256] each."""
    for visit in visits(site, SEED, number):
        exposure = expose([visit.patient], [visit.how])
        frame = exposure.rate[0].numpy()
        rate = frame.reshape(2, HEIGHT, PHOTONS, -1).sum(axis=2)
        chance = noise_of(SEED, site, number, visit.patient.visit)
        counts, fresh = (chance.poisson(rate).astype(np.float32) for _ in range(2))
        yield rate, counts, fresh, exposure.metastases[0].numpy()


def _recoveries(true: Floats, told: Floats, lesions: NDArray[np.bool_]) -> list[float]:
    found = []
    for view in range(2):
        labels, count = ndimage.label(lesions[view])
        for lesion in range(1, count + 1):
            inside = labels == lesion
            around = ndimage.binary_dilation(inside, iterations=_AROUND) & ~lesions[view]
            if not around.any():
                continue
            below, peak = float(np.median(true[view][around])), float(true[view][inside].max())
            if peak > PEAK * below:
                found.append((float(told[view][inside].max()) - below) / (peak - below))
    return found
