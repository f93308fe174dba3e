"""Who points at metastases: the model's map, the brightest pixel, maps of random weights, and blind chance."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.answers import Answers, Pixels, Reader
from scintilab.evaluate.bootstrap import Values
from scintilab.evaluate.pointing import chance, hits
from scintilab.evaluate.random_weights import random_weights
from scintilab.phantom.cohort import Cohort

DRAWS = 3
"""Of random weights; one alone may point nowhere."""
AT_ONCE = 32
PLAYERS = ("map", "brightest pixel", "random weights", "blind")


def pointers(
    cohort: Cohort, pixels: Pixels, answers: Answers, asked: NDArray[np.bool_], reader: Reader, work: Path
) -> Mapping[str, Values]:
    """Return who points at a metastasis how often in each scan, [n] each; NaN where it is not `asked`.

    Args:
        cohort: with the exact masks.
        pixels: the same scans, for the graphs with random weights.
        answers: of the model, about the same scans.
        asked: [n], such as the true positives.
        reader: the model's.
        work: a folder for graphs with random weights.
    """
    rows = np.flatnonzero(asked)
    if not len(rows):
        return dict.fromkeys(PLAYERS, np.full(len(cohort), np.nan))
    untaught = [
        reader.instead(random_weights(reader.manifest, seed, work))
        .ask(pixels.part(rows), f"Site {cohort.site}, random weights {seed + 1} of {DRAWS}")
        .maps
        for seed in range(DRAWS)
    ]
    played: dict[str, list[Values]] = {name: [] for name in PLAYERS}
    for some in _chunks(len(rows)):
        lesions, brightest = _beside(_masks(cohort, rows[some])), _beside(cohort.canvas[rows[some]])
        played["map"].append(hits(answers.maps[rows[some]], lesions, reader.cells).astype(float))
        played["brightest pixel"].append(hits(brightest, lesions, reader.cells).astype(float))
        played["random weights"].append(np.mean([hits(maps[some], lesions, reader.cells) for maps in untaught], axis=0))
        played["blind"].append(np.asarray(chance(lesions, reader.cells), dtype=np.float64))
    return {name: _spread(rates, rows, len(cohort)) for name, rates in played.items()}


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + AT_ONCE) for start in range(0, count, AT_ONCE))


def _masks(cohort: Cohort, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    return np.unpackbits(cohort.truth.metastasis_mask[rows], axis=-1).astype(bool)


def _beside(views: NDArray[Any]) -> NDArray[Any]:
    """Lay both views side by side: [n, 2, h, w] -> [n, h, 2 w]."""
    return np.concatenate([views[:, 0], views[:, 1]], axis=-1)


def _spread(rates: list[Values], rows: NDArray[np.intp], count: int) -> Values:
    whole = np.full(count, np.nan)
    whole[rows] = np.concatenate(rates)
    return whole
