"""One simulated patient: who, how they lie, and where the tracer went."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scintilab.phantom.body import Body, body_of, mottled
from scintilab.phantom.geometry import Array, Points, ellipsoid
from scintilab.phantom.lesions import METASTASIS, Lesion, benign, metastases, raise_uptake
from scintilab.phantom.pose import Pose, draw_pose
from scintilab.phantom.skeleton import GROUPS, Skeleton, kind, skeleton
from scintilab.phantom.streams import stream

_SPREAD = {"skull": 0.25, "face": 0.25, "mandible": 0.3, "knee": 0.25, "patella": 0.3, "sternum": 0.15, "foot": 0.25}
"""How much the uptake of one kind of bone differs between patients (log standard deviation; else 0.1)."""


@dataclass(frozen=True)
class Patient:
    """What the camera needs to know, and the truth behind it."""

    seed: int
    number: int
    sex: Literal["F", "M"]
    age: int
    height_mm: float
    position: Array
    """[n, 3] mm: bone and organs as points."""
    weight: Array
    """[n]: their activity."""
    body: Body
    soft_tissue: Array
    """Relative concentration in soft tissue, on the body's grid."""
    lesions: tuple[Lesion, ...]
    """With their centres where this patient has them."""

    @property
    def metastatic(self) -> bool:
        """Tell whether any lesion is a metastasis."""
        return any(lesion.kind == METASTASIS for lesion in self.lesions)


def draw_patient(seed: int, number: int, *, metastatic: bool) -> Patient:
    """Draw patient `number` of a population; the healthy twin differs by nothing but the metastases."""
    person = stream(seed, number, "person")
    sex: Literal["F", "M"] = "F" if person.random() < 0.5 else "M"
    age = int(np.clip(person.normal(67, 11), 35, 92))
    height_mm = float(np.clip(person.normal(1640 if sex == "F" else 1755, 65), 1450, 1930))
    bmi = float(np.clip(person.normal(26, 4), 18, 38))
    pose = draw_pose(stream(seed, number, "pose"), height_mm, bmi)
    body = body_of(pose, bmi, sex)

    bones = skeleton()
    healthy = bones.weight * _bone_uptake(stream(seed, number, "uptake"), bones)
    weight = healthy.copy()
    lesions = [*benign(stream(seed, number, "benign"), bones)]
    lesions += metastases(stream(seed, number, "metastases"), bones) if metastatic else []
    for lesion in lesions:
        raise_uptake(weight, bones, lesion)
    left_over = healthy.sum() / weight.sum()  # what lesions take is missing elsewhere

    slope = stream(seed, number, "ribs").normal(0, 0.035, len(bones.names))
    organs = [*_organs(stream(seed, number, "organs"))]
    soft = stream(seed, number, "soft tissue")
    concentration = 0.2 * np.exp(soft.normal(0, 0.25)) * left_over
    return Patient(
        seed,
        number,
        sex,
        age,
        height_mm,
        position=np.concatenate(
            [_placed(pose, bones, slope), *(pose.place(at.position, group) for group, at in organs)]
        ),
        weight=np.concatenate([weight, *(left_over * at.weight for _, at in organs)]),
        body=body,
        soft_tissue=concentration * mottled(soft, 0.12),
        lesions=tuple(_placed_lesion(pose, bones, slope, lesion) for lesion in lesions),
    )


def _bone_uptake(rng: np.random.Generator, bones: Skeleton) -> Array:
    """Return a factor for each point: by kind of bone, by bone, and by a gentle cloudiness inside bones."""
    by_kind = {name: np.exp(rng.normal(0, _SPREAD.get(name, 0.1))) for name in dict.fromkeys(map(kind, bones.names))}
    by_bone = np.array([by_kind[kind(name)] for name in bones.names]) * np.exp(rng.normal(0, 0.05, len(bones.names)))
    waves = rng.normal(0, 1, (3, 6)) / rng.uniform(12, 40, 6)
    clouds = np.cos(bones.position @ waves + rng.uniform(0, 2 * np.pi, 6)).mean(axis=1)
    factor: Array = by_bone[bones.bone] * (1 + 0.25 * clouds)
    return factor


def _sloped(bones: Skeleton, slope: Array) -> Array:
    """Ribs are never quite parallel: each rises or falls a little more towards the side."""
    is_rib = np.array([kind(name) == "rib" for name in bones.names])
    position = bones.position.copy()
    position[:, 2] += np.where(is_rib, slope, 0)[bones.bone] * np.abs(position[:, 0])
    return position


def _placed(pose: Pose, bones: Skeleton, slope: Array) -> Array:
    position = _sloped(bones, slope)
    for index, group in enumerate(GROUPS):
        members = bones.group == index
        position[members] = pose.place(position[members], group)
    return position


def _placed_lesion(pose: Pose, bones: Skeleton, slope: Array, lesion: Lesion) -> Lesion:
    bone = bones.names.index(lesion.bone)
    x, y, z = lesion.centre
    lifted = z + (slope[bone] * abs(x) if kind(lesion.bone) == "rib" else 0)
    group = GROUPS[bones.group[np.argmax(bones.bone == bone)]]
    return lesion._replace(centre=tuple(pose.place(np.array([[x, y, lifted]]), group)[0]))


def _organs(rng: np.random.Generator) -> Iterator[tuple[str, Points]]:
    """Kidneys, bladder, blood, glands, where the needle was, and sometimes a spilt drop of urine."""
    for side in (-1, 1):
        yield from (("trunk", part) for part in _kidney(rng, side))
    fill = rng.uniform(0.6, 1.25)
    yield (
        "trunk",
        ellipsoid((rng.normal(0, 4), 34, 900 + 14 * fill), (38 * fill, 30, 26 * fill), rng.lognormal(1.7, 0.5)),
    )
    yield "trunk", ellipsoid((28, 28, 1275) + rng.normal(0, 5, 3), (46, 40, 48), 0.25 * np.exp(rng.normal(0, 0.3)))
    yield "trunk", ellipsoid((-62, 20, 1195), (72, 58, 52), 0.22 * np.exp(rng.normal(0, 0.4)))
    yield "head", ellipsoid((0, 84, 1562), (13, 12, 18), 2.0 * np.exp(rng.normal(0, 0.3)))
    yield "head", ellipsoid((0, 34, 1452), (18, 8, 14), rng.choice([0.3, 0.6, 1.8]))
    yield from _injection(rng)
    if rng.random() < 0.07:
        spot = (rng.normal(0, 35), 60, rng.uniform(800, 850))
        yield "trunk", ellipsoid(spot, (8, 4, rng.uniform(6, 16)), rng.lognormal(1.8, 0.6))


def _kidney(rng: np.random.Generator, side: int) -> Iterator[Points]:
    """Cortex and pelvis; the right kidney lies a little lower."""
    centre = np.array([side * 64, -52, 1128 + 10 * side]) + (0, 0, rng.normal(0, 7))
    uptake = 3.4 * np.exp(rng.normal(0, 0.4))
    yield ellipsoid(centre, (25, 21, 50), uptake, wall=14)
    yield ellipsoid(centre + (-side * 8, 0, 0), (9, 8, 16), uptake * rng.uniform(0.5, 2.5))


def _injection(rng: np.random.Generator) -> Iterator[tuple[str, Points]]:
    """In the crook of the arm or the back of the hand; often hardly anything stays there."""
    side = rng.choice(["left", "right"])
    outward = 1 if side == "left" else -1
    x, y, z = (228, 20, 1092) if rng.random() < 0.7 else (262, 20, 775)
    spot = (outward * (x + rng.normal(0, 5)), y, z + rng.normal(0, 10))
    yield f"{side} arm", ellipsoid(spot, (5, 5, 9), rng.lognormal(3.0, 1.2))
