"""The pointing game: does the hottest place of a map lie at a lesion? Lesions are known to the pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Estimate, Values
from scintilab.evaluate.drawn import Drawn, share

Maps = NDArray[np.floating]
"""Both views side by side, [n, h, w], anterior left."""


def hits(maps: Maps, lesions: NDArray[np.bool_], cells: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell for each scan whether the hottest place lies within one cell of a lesion in the same view.

    The brightest pixel of the canvas and the map of random weights are played against as `maps` of their own: of
    any size, but always by the cells of the model's map.

    Args:
        maps: one map a scan; one that is the same everywhere points nowhere.
        lesions: exact masks, [n, height, width], both views side by side, finer than the cells.
        cells: rows and columns of the model's map, both views together.
    """
    row, col = _hottest(maps, cells)
    there = _near(_in_cells(lesions, cells))[np.arange(len(maps)), row, col]
    return np.asarray(there & (maps.max((1, 2)) > maps.min((1, 2))))


def chance(lesions: NDArray[np.bool_], cells: tuple[int, int]) -> NDArray[np.floating]:
    """Return for each scan how often a cell picked blindly is a hit."""
    return np.asarray(_near(_in_cells(lesions, cells)).mean((1, 2)))


@dataclass(frozen=True)
class Pointing:
    """How often one kind of map points at a lesion at each site, and how many scans were asked."""

    n: dict[str, int]
    sites: dict[str, Estimate]
    mean: Estimate


def pointing(drawn: Drawn, hit: Values) -> Pointing:
    """Estimate the rate of hits, [n]: 1 a hit, 0 a miss, NaN not asked (healthy, or called negative)."""
    asked = drawn.only(~np.isnan(hit))
    rates = asked.by_site(share, hit[~np.isnan(hit)])
    scans = {site: asked.scans.part(here) for site, here in asked.sites().items()}
    return Pointing(
        n={site: len(there) for site, there in scans.items()},
        sites={site: rate.rate(len(np.unique(scans[site].patient))) for site, rate in rates.items()},
        mean=asked.mean(rates),
    )


def _hottest(maps: Maps, cells: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the cell of the middle of each map's hottest element."""
    height, width = maps.shape[1:]
    row, col = np.divmod(maps.reshape(len(maps), -1).argmax(1), width)
    return (2 * row + 1) * cells[0] // (2 * height), (2 * col + 1) * cells[1] // (2 * width)


def _in_cells(lesions: NDArray[np.bool_], cells: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which cells hold a pixel of a lesion, [n, *cells]."""
    n, height, width = lesions.shape
    if height % cells[0] or width % cells[1]:
        raise ValueError(f"Masks of {height} x {width} pixels do not divide into {cells[0]} x {cells[1]} cells.")
    blocks = lesions.reshape(n, cells[0], height // cells[0], cells[1], width // cells[1])
    return np.asarray(blocks.any((2, 4)))


def _near(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add each cell's eight neighbours, but never across the seam between the views."""
    n, rows, cols = marked.shape
    views = np.pad(marked.reshape(n, rows, 2, cols // 2), ((0, 0), (1, 1), (0, 0), (1, 1)))
    moved = [views[:, r : r + rows, :, c : c + cols // 2] for r in range(3) for c in range(3)]
    return np.asarray(np.logical_or.reduce(moved)).reshape(n, rows, cols)
