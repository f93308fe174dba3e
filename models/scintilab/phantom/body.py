"""Skin, and what lies under it: how much tissue a photon crosses, and how much of it glows.

Two surfaces, front and back, on an 8 mm grid over the patient seen from the front. A point's depth below
them gives its attenuation; the tissue between them emits in closed form.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter, map_coordinates

from scintilab.phantom.geometry import Array
from scintilab.phantom.pose import Pose

STEP = 8.0
_X = np.arange(-400, 401, STEP)
_Z = np.arange(-120, 2041, STEP)

ATTENUATION = 0.0135
"""Per mm, 140 keV in soft tissue; below the narrow-beam 0.015 because part of the scatter is counted."""
LUNG_ATTENUATION = 0.006


class _Part(NamedTuple):
    """A stack of rounded sections along a line; numbers stand for the same value at every height."""

    group: str
    z: tuple[float, ...]
    x: float | tuple[float, ...]
    y: float | tuple[float, ...]
    half_width: tuple[float, ...]
    half_depth: tuple[float, ...]

    def line(self) -> Array:
        return np.stack(np.broadcast_arrays(self.x, self.y, np.asarray(self.z, float)), 1)

    def mirrored(self) -> "_Part":
        return self._replace(group=self.group.replace("left", "right"), x=tuple(-self.line()[:, 0]))


_TORSO = _Part(
    group="trunk",
    z=(805, 840, 880, 960, 1040, 1120, 1200, 1300, 1380, 1430, 1462),
    x=0,
    y=0,
    half_width=(60, 130, 160, 172, 152, 148, 158, 170, 186, 130, 62),
    half_depth=(40, 66, 82, 104, 102, 100, 105, 112, 96, 78, 62),
)
_NECK = _Part("head", z=(1450, 1480, 1530), x=0, y=0, half_width=(66, 58, 58), half_depth=(64, 60, 62))
_HEAD = _Part(
    group="head",
    z=(1500, 1520, 1560, 1620, 1680, 1715, 1728),
    x=0,
    y=6,
    half_width=(30, 55, 70, 79, 74, 42, 5),
    half_depth=(50, 80, 96, 100, 92, 52, 5),
)
_LEG = _Part(
    group="left leg",
    z=(-20, 30, 120, 380, 490, 700, 830, 900),
    x=(90, 88, 86, 92, 92, 100, 100, 100),
    y=0,
    half_width=(40, 46, 38, 56, 56, 76, 86, 40),
    half_depth=(30, 56, 42, 58, 60, 76, 84, 40),
)
_ARM = _Part(
    group="left arm",
    z=(660, 760, 840, 960, 1090, 1240, 1390, 1440),
    x=(268, 265, 262, 245, 226, 202, 178, 165),
    y=(10, 10, 8, 0, -10, -14, -14, -14),
    half_width=(30, 44, 30, 40, 45, 50, 52, 20),
    half_depth=(6, 14, 24, 38, 42, 50, 56, 25),
)
_BREAST = _Part(
    group="trunk",
    z=(1215, 1250, 1290, 1330, 1370),
    x=88,
    y=84,
    half_width=(20, 58, 66, 56, 20),
    half_depth=(10, 40, 48, 36, 10),
)


@dataclass(frozen=True)
class Body:
    """Two skin surfaces of one patient, [z, x] on the grid of this module, mm."""

    front: Array
    back: Array
    thickness: Array
    """Millimetres of tissue from front to back (two limbs that overlap count twice)."""
    lung_middle: float
    """z of the middle of the lungs."""

    def transmission(self, position: Array) -> tuple[Array, Array]:
        """Return the share of photons that reach the skin in front of and behind each of n positions."""
        x, y, z = position.T
        across = ((np.abs(x) - 68) / 58) ** 2 + ((z - self.lung_middle) / 120) ** 2
        lung = 150 * np.sqrt(np.clip(1 - across, 0, 1))
        return _survival(at(self.front, x, z) - y, lung), _survival(y - at(self.back, x, z), lung)

    def glow(self, concentration: Array) -> Array:
        """Return what soft tissue of that concentration per volume sends out, per mm2 of skin, either way."""
        glow: Array = concentration * (1 - np.exp(-ATTENUATION * self.thickness)) / ATTENUATION
        return glow


def body_of(pose: Pose, bmi: float, sex: str) -> Body:
    """Wrap skin round a patient."""
    paired = (_LEG, _ARM, _BREAST) if sex == "F" else (_LEG, _ARM)
    front, back = np.full((_Z.size, _X.size), -np.inf), np.full((_Z.size, _X.size), np.inf)
    thickness = np.zeros_like(front)
    for part in (_TORSO, _NECK, _HEAD, *paired, *(part.mirrored() for part in paired)):
        middle, half = _section(part, pose, stout=(bmi / 24) ** 0.5)
        front = np.where(half > 0, np.maximum(front, middle + half), front)
        back = np.where(half > 0, np.minimum(back, middle - half), back)
        thickness += 2 * half
    empty = np.isinf(front)
    return Body(
        front=np.where(empty, 0, front),
        back=np.where(empty, 0, back),
        thickness=gaussian_filter(thickness, 1.5),
        lung_middle=1310 * pose.scale[2],
    )


def _section(part: _Part, pose: Pose, stout: float) -> tuple[Array, Array]:
    """Return y of the part's middle [z, 1] and its half depth [z, x], zero outside."""
    x, y, z = pose.place(part.line(), part.group).T
    inside = ((z[0] <= _Z) & (z[-1] >= _Z))[:, None]

    def along(values: Array) -> Array:
        profile: Array = PchipInterpolator(z, values)(np.clip(_Z, z[0], z[-1]))[:, None]
        return profile

    half_width = along(np.asarray(part.half_width) * stout * pose.scale[0])
    half_depth = along(np.asarray(part.half_depth) * stout)
    roundness = 2.4
    off_centre = np.abs((_X - along(x)) / half_width) ** roundness
    return along(y), half_depth * np.clip(1 - off_centre, 0, None) ** (1 / roundness) * inside


def at(surface: Array, x: Array, z: Array) -> Array:
    """Read a grid of this module at any positions, mm; beyond its edge the edge goes on."""
    value: Array = map_coordinates(surface, [(z - _Z[0]) / STEP, (x - _X[0]) / STEP], order=1, mode="nearest")
    return value


def mottled(rng: np.random.Generator, spread: float) -> Array:
    """Return a smooth random grid round 1: muscle, fat and bowel take up unequally."""
    rough = gaussian_filter(rng.normal(0, 1, (_Z.size, _X.size)), 3)
    mottle: Array = np.clip(1 + spread * rough / rough.std(), 0.3, None)
    return mottle


def _survival(depth: Array, lung: Array) -> Array:
    """Up to 70 % of the way through the chest may lead through lung."""
    depth = np.clip(depth, 0, None)
    airy = np.minimum(0.7 * depth, lung)
    survival: Array = np.exp(-ATTENUATION * (depth - airy) - LUNG_ATTENUATION * airy)
    return survival
