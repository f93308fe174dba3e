"""Some thirty ratios of counts that a physicist would look at first: a scan in numbers that mean something.

Regions are shares of the body's height, from the top of the head, and of its breadth, from its middle; a region is as
large as it is in everybody, so that no landmark has to be found.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats
from scintilab.studies.body import extent

_TINY = 1e-6


class Region(NamedTuple):
    """From where to where: down in shares of the body's height, across in shares of it too, 0 is the middle line."""

    top: float
    bottom: float
    left: float = -0.2
    right: float = 0.2


HEAD, NECK = Region(0.0, 0.12), Region(0.12, 0.17)
CHEST, BELLY, PELVIS = Region(0.17, 0.34, -0.12, 0.12), Region(0.34, 0.43, -0.12, 0.12), Region(0.43, 0.53, -0.12, 0.12)
THIGHS, KNEES, SHANKS = Region(0.53, 0.68), Region(0.68, 0.76), Region(0.76, 1.0)
SPINE = Region(0.17, 0.43, -0.02, 0.02)
FLANKS = (Region(0.3, 0.4, -0.08, -0.03), Region(0.3, 0.4, 0.03, 0.08))
HEART = Region(0.21, 0.29, 0.01, 0.08)
"""The patient's left is on the right of an anterior view."""
BLADDER = Region(0.48, 0.54, -0.03, 0.03)
PARTS: Mapping[str, Region] = {
    "head": HEAD, "neck": NECK, "chest": CHEST, "belly": BELLY, "pelvis": PELVIS, "thighs": THIGHS, "knees": KNEES,
    "shanks": SHANKS,
}  # fmt: skip
VIEWS = ("anterior", "posterior")


def regions(canvas: Floats) -> dict[str, NDArray[np.float64]]:
    """Return named columns, [n] each, of coarse scans [n, 2, 256, 64]: logarithms of ratios.

    The posterior view is as seen from behind: it is mirrored first, so that left is left in both.
    """
    views = np.stack([canvas[:, 0], canvas[:, 1, :, ::-1]], axis=1).astype(np.float64)
    down, across = _places(canvas)
    total = views.sum((2, 3))

    def mean(region: Region) -> NDArray[np.float64]:
        inside = _inside(region, down, across)[:, None]
        return np.asarray((views * inside).sum((2, 3)) / np.maximum(inside.sum((2, 3)), 1) + _TINY)

    def ratio(first: Region, second: Region) -> NDArray[np.float64]:
        return np.asarray(np.log(mean(first) / mean(second)))

    columns = {
        f"share of the {name}": _share(views, _inside(part, down, across), total) for name, part in PARTS.items()
    }
    columns |= {f"left to right, {name}": ratio(*_halves(PARTS[name])) for name in ("chest", "pelvis", "thighs")}
    columns |= {
        "heart to contralateral": ratio(HEART, _mirrored(HEART)),
        "flanks to spine": np.log((mean(FLANKS[0]) + mean(FLANKS[1])) / (2 * mean(SPINE))),
        "spine to chest": ratio(SPINE, CHEST),
        "bladder to pelvis": ratio(BLADDER, PELVIS),
        "noise": _noise(views),
        "brightest": np.log(views.max((2, 3)) / views.mean((2, 3))),
        "upper tenth": np.log(np.percentile(views, 98, axis=(2, 3)) / views.mean((2, 3))),
    }
    apart = {f"{name}, {view}": column[:, k] for name, column in columns.items() for k, view in enumerate(VIEWS)}
    return {**apart, "anterior to posterior": np.log(total[:, 0] / total[:, 1])}


def table(canvas: Floats) -> NDArray[np.float64]:
    """Return all columns side by side, [n, k]."""
    return np.stack(list(regions(canvas).values()), axis=1)


def _places(canvas: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each row [n, rows] and each column [n, cols] lies, in heights of the body."""
    rows, cols = canvas.shape[2:]
    top, bottom, middle = (where[:, None] for where in extent(canvas))
    height = bottom - top
    return (np.arange(rows) + 0.5 - top) / height, (np.arange(cols) + 0.5 - middle) / height


def _inside(region: Region, down: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pixels are in a region, [n, rows, cols]."""
    rows = (down >= region.top) & (down < region.bottom)
    cols = (across >= region.left) & (across < region.right)
    return np.asarray(rows[:, :, None] & cols[:, None])


def _share(views: NDArray[np.float64], inside: NDArray[np.bool_], total: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log((views * inside[:, None]).sum((2, 3)) / total + _TINY))


def _halves(region: Region) -> tuple[Region, Region]:
    right_half = region._replace(left=0.0)
    return right_half, _mirrored(right_half)


def _mirrored(region: Region) -> Region:
    return region._replace(left=-region.right, right=-region.left)


def _noise(views: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much neighbours across differ beyond what is smooth, against Poisson noise: second differences."""
    second = views[..., 2:] - 2 * views[..., 1:-1] + views[..., :-2]
    return np.asarray(np.log((second**2).mean((2, 3)) / (6 * views.mean((2, 3))) + _TINY))
