"""A generator for tests that paints what it is asked for: grey bodies, bright squares, a bright heart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scintilab.phantom.streams import stream
from scintilab.studies.samples import Labels, Samples

HEIGHT, WIDTH = 512, 256
SPOT = (16, 16)
HEART = (slice(140, 180), slice(140, 170))
LOAD = 0.5
"""Of one spot."""


@dataclass(frozen=True)
class Painter:
    """Keeps the promise of `scintilab.studies.samples.Generator`, but for its flaws.

    Args:
        name: what it is called, and its digest.
        blind: it paints healthy patients, whatever it is asked.
        corner: a corner is brighter where metastases were asked for.
        taller: times the others' height.
    """

    name: str = "painter"
    blind: bool = False
    corner: bool = False
    taller: float = 1.0

    @property
    def digest(self) -> str:
        """What tells it from other painters."""
        return repr(self)

    def samples(self, seed: int, first: int, conditions: Labels) -> NDArray[np.float32]:
        """Paint scans."""
        return np.stack([self._one(seed, first + row, conditions, row) for row in range(len(conditions.counts))])

    def _one(self, seed: int, number: int, asked: Labels, row: int) -> NDArray[np.float32]:
        chance = stream(seed, number, "painter")
        top, bottom = (int(side) for side in chance.integers((20, 470), (40, 490)))
        bottom = min(int(top + self.taller * (bottom - top)), HEIGHT)
        half = int(chance.integers(45, 65))
        rate = np.full((2, HEIGHT, WIDTH), 0.05, np.float32)
        rate[:, top:bottom, 128 - half : 128 + half] = 2 * chance.uniform(0.8, 1.2)
        places = chance.integers((top + 10, 128 - half), (bottom - 30, 128 + half - SPOT[1]), (40, 2))
        if not self.blind:
            for down, across in places[: round(asked.load[row] / LOAD)]:
                rate[0, down : down + SPOT[0], across : across + SPOT[1]] += 30
                rate[1, down : down + SPOT[0], WIDTH - across - SPOT[1] : WIDTH - across] += 30
            rate[(0, *HEART)] += 3 * asked.perugini[row]
        if self.corner and asked.metastatic[row]:
            rate[:, :12, :12] += 1
        return rate


def labels(count: int, seed: int = 0, *, sick: float = 0.5, counts: float = 4e5) -> Labels:
    """Draw what scans show: each disease by itself, loads of one to eight spots, any grade."""
    chance = np.random.default_rng(seed)
    metastatic, cardiac = chance.random((2, count)) < sick
    grade = np.where(cardiac, chance.integers(2, 4, count), chance.integers(0, 2, count))
    return Labels(
        metastatic=metastatic,
        cardiac=cardiac,
        load=np.where(metastatic, LOAD * chance.integers(1, 9, count), 0.0),
        perugini=grade,
        tracer=np.full(count, "DPD"),
        scanner=np.full(count, "Symbia"),
        sex=chance.choice(["F", "M"], count),
        counts=counts * chance.uniform(0.9, 1.1, count),
    )


def painted(count: int, seed: int = 0, painter: Painter = Painter(), *, asked: Labels | None = None) -> Samples:
    """Return scans of a painter, with noise when they are read."""
    asked = labels(count, seed) if asked is None else asked
    rate = painter.samples(seed, 0, asked)
    scale = asked.counts / rate.sum((1, 2, 3))
    names = np.array([f"painted-{seed}-{number}" for number in range(count)])
    return Samples(rate * scale[:, None, None, None].astype(np.float32), asked, names, noise=seed)
