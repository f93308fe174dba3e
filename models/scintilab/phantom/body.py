"""Skin, and what lies under it: how much tissue a photon crosses, and how much of it glows.

Two surfaces, front and back, on an 8 mm grid over the patient seen from the front. A point's depth below them gives
its attenuation; the tissue between them emits in closed form.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from scintilab.phantom.geometry import Array
from scintilab.phantom.person import Person
from scintilab.phantom.pose import Pose

STEP = 8.0
X = np.arange(-400, 401, STEP)
Z = np.arange(-120, 2041, STEP)

ATTENUATION = 0.0135
"""Per mm, 140 keV in soft tissue; below the narrow-beam 0.015 because part of the scatter is counted."""
LUNG_ATTENUATION = 0.006
_ROUNDNESS = 2.4
"""Of a section: 2 is an ellipse, more is squarer."""


class _Part(NamedTuple):
    """A stack of rounded sections along a line; a single number stands for the same value all along."""

    group: str
    z: tuple[float, ...]
    x: float | tuple[float, ...]
    y: float | tuple[float, ...]
    half_width: tuple[float, ...]
    half_depth: tuple[float, ...]
    uptake: float
    """Concentration beside that of the trunk."""


_TRUNK = _Part(
    group="trunk",
    z=(800, 840, 880, 960, 1040, 1120, 1200, 1300, 1380, 1430, 1470),
    x=0,
    y=0,
    half_width=(50, 120, 162, 174, 152, 146, 158, 170, 184, 128, 58),
    half_depth=(30, 60, 84, 106, 102, 100, 106, 112, 98, 78, 60),
    uptake=1.0,
)
_NECK = _Part("head", (1446, 1480, 1530), 0, 0, (66, 57, 56), (64, 58, 60), 1.2)
_HEAD = _Part(
    group="head",
    z=(1496, 1520, 1560, 1620, 1680, 1715, 1729),
    x=0,
    y=6,
    half_width=(26, 54, 69, 79, 74, 42, 4),
    half_depth=(44, 80, 96, 100, 92, 52, 4),
    uptake=0.7,
)
_UPPER_ARM = _Part(
    "left upper arm", (1080, 1160, 1250, 1340, 1400, 1442), (227, 214, 202, 186, 174, 160), -14,
    (42, 46, 50, 55, 56, 26), (40, 46, 50, 56, 54, 24), 1.1,
)  # fmt: skip
_FOREARM = _Part(
    "left forearm", (836, 880, 960, 1040, 1104), (262, 256, 245, 234, 226), (10, 6, 0, -10, -14),
    (30, 34, 42, 47, 44), (22, 28, 36, 42, 40), 0.85,
)  # fmt: skip
_HAND = _Part(
    "left hand",
    (656, 700, 760, 800, 848),
    (272, 270, 266, 263, 262),
    12,
    (24, 36, 44, 40, 30),
    (8, 11, 15, 17, 22),
    0.9,
)
_THIGH = _Part(
    "left thigh", (470, 520, 620, 720, 820, 880, 920), (92, 92, 95, 98, 100, 104, 108), 0,
    (56, 60, 70, 80, 88, 78, 40), (58, 62, 72, 80, 88, 84, 40), 0.5,
)  # fmt: skip
_SHANK = _Part(
    "left shank", (66, 120, 220, 330, 400, 490), (88, 88, 91, 93, 92, 91), (0, -2, -8, -12, -8, 0),
    (37, 38, 46, 58, 58, 56), (40, 42, 50, 60, 60, 58), 0.6,
)  # fmt: skip
_FOOT = _Part(
    "left foot", (-16, 10, 40, 76), (84, 84, 86, 88), (96, 64, 20, 0), (42, 44, 42, 38), (30, 54, 62, 44), 0.6
)
_BREAST = _Part("trunk", (1212, 1246, 1290, 1334, 1374), 94, 80, (22, 58, 68, 58, 22), (8, 34, 44, 32, 8), 0.8)
_LIMBS = (_UPPER_ARM, _FOREARM, _HAND, _THIGH, _SHANK, _FOOT)
_LUNG = (68.0, 58.0, 120.0)
"""Middle from the midline, half width and half height, mm."""


@dataclass(frozen=True)
class Body:
    """One patient's skin and soft tissue, float [z, x] on the grid of this module."""

    front: Array
    """y of the skin in front, mm."""
    back: Array
    glow: Array
    """Relative activity that leaves a mm2 of skin, in front as behind."""
    activity: float
    """Of all soft tissue, concentration times mm3."""
    lungs: tuple[float, float]
    """x between the lungs and z of their middle, mm."""


def body_of(pose: Pose, person: Person, rng: np.random.Generator, *, concentration: float, muscle: float) -> Body:
    """Wrap skin round a patient, and fill it.

    Args:
        pose: of the patient.
        person: their build and sex.
        rng: muscle, fat and bowel take up unequally.
        concentration: of the trunk's soft tissue, relative to what bones are given in.
        muscle: what limbs, shoulders and back have more of it.
    """
    front, back = np.full((Z.size, X.size), -np.inf), np.full((Z.size, X.size), np.inf)
    filled, uptake = np.zeros_like(front), np.zeros_like(front)
    stout = np.clip(person.bmi / 24, 0.7, 1.6)
    for part, outward in _parts(person.sex):
        rows, middle, half = _section(part, outward, pose, stout ** (0.55 if part is _TRUNK else 0.4))
        inside = half > 0
        front[rows] = np.where(inside, np.maximum(front[rows], middle + half), front[rows])
        back[rows] = np.where(inside, np.minimum(back[rows], middle - half), back[rows])
        filled[rows] += 2 * half
        uptake[rows] += 2 * half * part.uptake * (1.0 if part.group == "head" else muscle)
    empty = np.isinf(front)
    lungs = (pose.shift, 1310 * pose.scale[2])
    uptake *= concentration * _mottled(rng) * (1 - 0.45 * _lung_shadow(pose, lungs))
    thickness = gaussian_filter(filled, 1.2)
    uptake = gaussian_filter(uptake, 1.2)
    crossed = (1 - np.exp(-ATTENUATION * thickness)) / (ATTENUATION * np.maximum(thickness, 1e-3))
    return Body(
        np.where(empty, 0, front), np.where(empty, 0, back), uptake * crossed, float(uptake.sum() * STEP**2), lungs
    )


def _parts(sex: str) -> tuple[tuple[_Part, int], ...]:
    paired = (*_LIMBS, _BREAST) if sex == "F" else _LIMBS
    return (_TRUNK, 1), (_NECK, 1), (_HEAD, 1), *((part, side) for part in paired for side in (1, -1))


@cache
def _profile(part: _Part, outward: int) -> tuple[str, Array, Array, Array]:
    """Return group, smooth centreline [k, 3], half widths [k] and half depths [k]."""
    z = np.linspace(part.z[0], part.z[-1], 24)

    def along(values: float | tuple[float, ...]) -> Array:
        dense: Array = PchipInterpolator(part.z, np.broadcast_to(np.asarray(values, float), len(part.z)))(z)
        return dense

    group = part.group if outward == 1 else part.group.replace("left", "right")
    line = np.stack([outward * along(part.x), along(part.y), z], 1)
    return group, line, along(part.half_width), along(part.half_depth)


def _section(part: _Part, outward: int, pose: Pose, stout: float) -> tuple[slice, Array, Array]:
    """Return rows of the grid, y of the part's middle there [rows, 1], and its half depth [rows, x], zero outside."""
    group, line, half_width, half_depth = _profile(part, outward)
    x, y, z = pose.move(line, group).T
    order = np.argsort(z)
    x, y, z = x[order], y[order], z[order]
    rows = slice(*np.searchsorted(Z, (z[0], z[-1])))
    heights = Z[rows]

    def at(values: Array) -> Array:
        profile: Array = np.interp(heights, z, values)[:, None]
        return profile

    half_width = half_width[order] * stout * pose.scale[0]
    half_depth = half_depth[order] * stout * pose.scale[1] ** 0.5
    off_centre = np.abs((X - at(x)) / at(half_width)) ** _ROUNDNESS
    return rows, at(y), at(half_depth) * np.clip(1 - off_centre, 0, None) ** (1 / _ROUNDNESS)


def _lung_shadow(pose: Pose, lungs: tuple[float, float]) -> Array:
    """Return how much of a line from front to back is lung, at most 1, [z, x]."""
    apart, half_width, half_height = _LUNG
    across = (np.abs(X - lungs[0]) / pose.scale[0] - apart) / half_width
    along = (Z - lungs[1]) / (half_height * pose.scale[2])
    shadow: Array = np.sqrt(np.clip(1 - across**2 - along[:, None] ** 2, 0, 1))
    return shadow


def _mottled(rng: np.random.Generator) -> Array:
    """Return a smooth random grid round 1, coarse and fine."""
    coarse, fine = (gaussian_filter(rng.normal(0, 1, (Z.size, X.size)), width) for width in (5, 2))
    mottle: Array = np.clip(1 + 0.13 * coarse / coarse.std() + 0.06 * fine / fine.std(), 0.3, None)
    return mottle
