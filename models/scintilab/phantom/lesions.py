"""Foci of raised bone uptake, benign and malignant, and where each kind likes to be.

The same bones host both: degenerative spines, old rib fractures and bone islands are what makes a bone
scan hard to read, so healthy and sick patients get benign foci from the same streams. A lesion multiplies
the uptake of bone around its centre, so a focus in a rib takes the shape of the rib.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scintilab.phantom.geometry import Array
from scintilab.phantom.skeleton import Skeleton, kind

METASTASIS = "metastasis"
DEGENERATION = "degeneration"

_METASTATIC_SITES = {
    "T": 0.19, "L": 0.17, "rib": 0.20, "ilium": 0.11, "sacrum": 0.06, "sternum": 0.04, "femur": 0.05, "skull": 0.03,
    "C": 0.03, "humerus": 0.03, "scapula": 0.03, "pubis": 0.02, "ischium": 0.02, "acetabulum": 0.02,
}  # fmt: skip
"""Red marrow: where metastases settle, as shares."""

_DEGENERATIVE_SITES = {
    "L": 0.20, "T": 0.09, "C": 0.08, "knee": 0.14, "patella": 0.06, "clavicle": 0.10, "scapula": 0.05, "wrist": 0.07,
    "hand": 0.04, "foot": 0.07, "ankle": 0.03, "acetabulum": 0.05, "sacroiliac": 0.05, "mandible": 0.03,
    "sternum": 0.03,
}  # fmt: skip
"""Joints and the edges of vertebrae, as shares."""


class Lesion(NamedTuple):
    """One focus: bone uptake is multiplied by `contrast` at its centre, falling off as a Gaussian."""

    kind: str
    bone: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    """Standard deviations along x, y and z, mm."""
    contrast: float


def raise_uptake(weight: Array, skeleton: Skeleton, lesion: Lesion) -> None:
    """Multiply, in place, the weights of the skeleton's points round a lesion."""
    x, y, z = lesion.centre
    reach = 4 * lesion.radii[2]
    near = slice(*np.searchsorted(skeleton.position[:, 2], (z - reach, z + reach)))
    off = (skeleton.position[near] - (x, y, z)) / lesion.radii
    weight[near] *= 1 + (lesion.contrast - 1) * np.exp(-0.5 * (off**2).sum(axis=1))


def metastases(rng: np.random.Generator, skeleton: Skeleton) -> Iterator[Lesion]:
    """Draw the metastases of a patient who has some: often a few, sometimes very many."""
    count = int(np.clip(np.round(rng.lognormal(1.5, 1.0)), 1, 60))
    patient_contrast = rng.normal(0.9, 0.35)
    for _ in range(count):
        bone = _some_bone(rng, skeleton, _METASTATIC_SITES)
        contrast = 1 + np.exp(patient_contrast + rng.normal(0, 0.4))
        yield _focus(rng, skeleton, METASTASIS, bone, rng.lognormal(2.3, 0.35), contrast)


def benign(rng: np.random.Generator, skeleton: Skeleton) -> Iterator[Lesion]:
    """Draw what age, falls and joints leave behind in anybody's skeleton."""
    for _ in range(rng.poisson(3.2)):
        bone = _some_bone(rng, skeleton, _DEGENERATIVE_SITES)
        contrast = 1 + rng.lognormal(0.3, 0.5)
        yield _focus(rng, skeleton, DEGENERATION, bone, rng.uniform(6, 12), contrast)
    if rng.random() < 0.14:
        yield from _broken_ribs(rng, skeleton, count=int(rng.integers(2, 6)))
    if rng.random() < 0.12:
        yield from _broken_ribs(rng, skeleton, count=1)
    if rng.random() < 0.10:
        yield _compressed_vertebra(rng, skeleton)
    if rng.random() < 0.07:
        bone = _some_bone(rng, skeleton, _METASTATIC_SITES)
        yield _focus(rng, skeleton, "bone island", bone, rng.uniform(6, 9), 1 + rng.lognormal(-0.2, 0.4))


def _broken_ribs(rng: np.random.Generator, skeleton: Skeleton, count: int) -> Iterator[Lesion]:
    """Neighbouring ribs break on one line, at about the same distance from the middle."""
    side, first = rng.choice(["left", "right"]), int(rng.integers(3, 11 - count))
    depth, healing = rng.uniform(-60, 70), rng.normal(0.8, 0.4)
    for number in range(first, first + count):
        bone = f"rib {number} {side}"
        along = skeleton.position[skeleton.bone == skeleton.names.index(bone)]
        centre = along[np.argmin(np.abs(along[:, 1] - depth - rng.normal(0, 6)))]
        yield Lesion("fracture", bone, tuple(centre), (7, 7, 7), 1 + np.exp(healing + rng.normal(0, 0.25)))


def _compressed_vertebra(rng: np.random.Generator, skeleton: Skeleton) -> Lesion:
    """A flat band across one vertebra between T7 and L3."""
    bone = str(rng.choice(["T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3"]))
    middle = skeleton.position[skeleton.bone == skeleton.names.index(bone)].mean(axis=0)
    return Lesion("fracture", bone, tuple(middle), (26, 26, rng.uniform(4, 6)), 1 + rng.lognormal(0.8, 0.35))


def _some_bone(rng: np.random.Generator, skeleton: Skeleton, shares: dict[str, float]) -> str:
    wanted = rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values()))
    return str(rng.choice([name for name in skeleton.names if kind(name) == wanted]))


def _focus(
    rng: np.random.Generator, skeleton: Skeleton, what: str, bone: str, radius: float, contrast: float
) -> Lesion:
    """Put a round focus in a bone: wear at its side, metastases in long bones near the trunk, others anywhere."""
    inside = skeleton.position[skeleton.bone == skeleton.names.index(bone)]
    tried = inside[rng.integers(0, len(inside), size=8)]
    if what == DEGENERATION:
        centre = tried[np.argmax(np.abs(tried[:, 0] - inside[:, 0].mean()))]
    elif kind(bone) in ("femur", "humerus"):
        centre = tried[np.argmax(tried[:, 2])]
    else:
        centre = tried[0]
    return Lesion(what, bone, tuple(centre), (radius, radius, radius), float(contrast))
