"""A contact sheet: scans that were made, beside scans of simulated patients that nobody learnt from."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from scintilab.generator.conditions import Condition, encode
from scintilab.generator.graph import NOISE, Generator
from scintilab.generator.learners import Simulated
from scintilab.generator.train import PHOTONS, counts
from scintilab.phantom.__main__ import film
from scintilab.phantom.streams import stream

KINDS: Mapping[str, tuple[bool, bool]] = {
    "normal": (False, False),
    "bone_metastases": (True, False),
    "cardiac_uptake": (False, True),
    "both": (True, True),
}
"""Label -> metastatic, cardiac."""

Films = NDArray[np.uint8]


def sheet(generator: Generator, asked: Sequence[Condition], patients: Simulated, *, each: int, seed: int) -> Films:
    """Paint a row of made scans and a row of simulated patients for every kind, as many of each.

    The conditions of a made scan are those of the patient below it, as far as there are enough of that kind.
    """
    values = patients.values()
    rows = []
    for kind, answers in KINDS.items():
        alike = np.flatnonzero((values["metastatic"] == answers[0]) & (values["cardiac"] == answers[1]))[:each]
        made = make(generator, asked, {name: column[alike] for name, column in values.items()}, len(alike), seed, kind)
        seen = patients.read(alike)
        for scans in (made, counts(seen) / PHOTONS):
            row = [_film(scan) for scan in scans]
            rows.append(np.concatenate([*row, *[np.full_like(row[0], 255)] * (each - len(row))], axis=1))
    return np.concatenate(rows)


def make(
    generator: Generator,
    asked: Sequence[Condition],
    values: Mapping[str, NDArray[np.generic]],
    scans: int,
    seed: int,
    kind: str,
    level: float = 3.0,
) -> NDArray[np.float32]:
    """Make noisy canvases [n, 2, 512, 256] of this mean under conditions by name; nothing is known of other ones."""
    told = encode(asked, values, scans)
    chance = [stream(seed, kind, number, "sheet") for number in range(scans)]
    noise = torch.from_numpy(np.stack([one.standard_normal(NOISE, np.float32) for one in chance]))
    with torch.inference_mode():
        rate = generator(noise, *map(torch.from_numpy, told)).rate.numpy()
    rate = PHOTONS * level * rate / rate.mean(axis=(1, 2, 3), keepdims=True)
    drawn = [one.poisson(expected) for one, expected in zip(chance, rate, strict=True)]
    return (np.stack(drawn) / PHOTONS).astype(np.float32)


def _film(canvas: NDArray[np.floating]) -> Films:
    """Paint both views beside each other; a canvas pixel is twice as high as wide."""
    photons = np.rint(PHOTONS * canvas).astype(np.uint16)
    return np.concatenate([film(view).repeat(2, axis=0) for view in photons], axis=1)
