"""Three solids filled with evenly spread points: enough to build a skeleton.

A point stands for a small piece of tissue: its weight is the piece's volume in cubic millimetres times the
relative concentration there, so that adding up weights adds up activity.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.stats.qmc import Sobol

Array = NDArray[np.float64]

POINTS_PER_MM2 = 0.3
"""Points for each square millimetre of a solid's silhouette; with less, their grain shows beside the noise."""


class Points(NamedTuple):
    """Pieces of tissue."""

    position: Array
    """[n, 3] mm."""
    volume: Array
    """[n] cubic millimetres."""
    weight: Array
    """[n]: volume times relative concentration."""


def joined(pieces: Sequence[Points]) -> Points:
    """Put pieces into one cloud."""
    return Points(*(np.concatenate(values) for values in zip(*pieces, strict=True)))


def tube(
    centreline: ArrayLike,
    radius: float | Sequence[float],
    concentration: float,
    *,
    ends: tuple[float, float] = (1.0, 1.0),
    depth: float = 1.0,
    across: ArrayLike = (0, 1, 0),
) -> Points:
    """Fill a tube round a smooth line: long bones, ribs, vertebral bodies.

    Args:
        centreline: points that the line passes, [k, 3].
        radius: one radius, or several spread evenly along the line.
        concentration: relative activity per volume in the shaft.
        ends: how many times more the first and the last two centimetres take up (joints, growth plates).
        depth: the section is an ellipse; its axis along `across` is `depth` times the other.
        across: rough direction of that axis; only its part perpendicular to the line counts.
    """
    length, line = _smooth_line(np.asarray(centreline, float))
    fill = _even_cover(length * 2 * float(np.mean(radius)), 3)
    along, angle = fill[:, 0], 2 * np.pi * fill[:, 2]
    size = np.interp(along, np.linspace(0, 1, np.size(radius)), np.atleast_1d(radius))
    side = _unit(np.cross(line(along, 1), np.asarray(across, float)))
    front = _unit(np.cross(line(along, 1), side))
    section = side * np.cos(angle)[:, None] + depth * front * np.sin(angle)[:, None]
    position = line(along) + section * (size * np.sqrt(fill[:, 1]))[:, None]
    first, last = (np.exp(-((distance * length / 22) ** 2)) for distance in (along, 1 - along))
    uptake = concentration * (1 + (ends[0] - 1) * first + (ends[1] - 1) * last)
    volume = np.pi * size**2 * depth * length / len(fill)
    return Points(position, volume, uptake * volume)


def sheet(
    corners: ArrayLike, thickness: float, concentration: float, *, lift: ArrayLike = (0, 0, 0), rim: float = 1.0
) -> Points:
    """Fill a curved plate between four corners: the iliac wing, the shoulder blade.

    Args:
        corners: in order round the plate, [4, 3].
        thickness: of the plate, mm.
        concentration: relative activity per volume in its middle.
        lift: how far the middle of the edge between the first two corners bulges, [3].
        rim: how many times more its edge takes up.
    """
    a, b, c, d = np.asarray(corners, float)
    area = float(np.linalg.norm(np.cross(c - a, d - b))) / 2
    fill = _even_cover(area, 3)
    u, v = fill[:, :1], fill[:, 1:2]
    position = (1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d
    position += (fill[:, 2:] - 0.5) * thickness * _unit(np.cross(b - a, d - a))
    position += np.sin(np.pi * u) * (1 - v) * np.asarray(lift, float)
    edge = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))[:, 0]
    uptake = concentration * (1 + (rim - 1) * np.exp(-((edge / 0.08) ** 2)))
    volume = np.full(len(fill), area * thickness / len(fill))
    return Points(position, volume, uptake * volume)


def ellipsoid(
    centre: ArrayLike,
    radii: ArrayLike,
    concentration: float,
    *,
    wall: float | None = None,
    keep: Callable[[Array], NDArray[np.bool_]] | None = None,
) -> Points:
    """Fill an ellipsoid, or only its wall: joints, organs, the vault of the skull.

    Args:
        centre: [3] mm.
        radii: one, or one for each axis, mm.
        concentration: relative activity per volume.
        wall: thickness of the wall, mm; filled when not given.
        keep: which points to keep, told by their offsets [n, 3] from the centre.
    """
    axes = np.broadcast_to(np.asarray(radii, float), 3)
    hollow = 0.0 if wall is None else 1 - wall / float(axes.min())
    fill = _even_cover(3.5 * float(np.prod(axes)) ** (2 / 3), 3)
    height, turn = 2 * fill[:, 0] - 1, 2 * np.pi * fill[:, 1]
    ring = np.sqrt(1 - height**2)
    out = (hollow**3 + (1 - hollow**3) * fill[:, 2]) ** (1 / 3)
    offset = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], 1) * out[:, None] * axes
    volume = np.full(len(fill), 4 / 3 * np.pi * np.prod(axes) * (1 - hollow**3) / len(fill))
    kept = slice(None) if keep is None else keep(offset)
    return Points(np.asarray(centre, float) + offset[kept], volume[kept], concentration * volume[kept])


def _even_cover(silhouette_mm2: float, dimensions: int) -> Array:
    """Cover the unit cube with scrambled Sobol points: even, without the lattice that shows as moire."""
    count = max(200, round(POINTS_PER_MM2 * silhouette_mm2))
    cover: Array = Sobol(dimensions, rng=count).random(1 << (count - 1).bit_length())[:count]
    return cover


def _smooth_line(knots: Array) -> tuple[float, CubicSpline]:
    reach = np.r_[0, np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))]
    return float(reach[-1]), CubicSpline(reach / reach[-1], knots)


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)
    return unit
