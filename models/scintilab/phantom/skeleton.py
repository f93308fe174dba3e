"""The skeleton of a reference adult, 1720 mm tall, drawn once: every patient is a variation of it.

Concentrations are like standardised uptake values three hours after injection: lumbar spine 6, ribs 3.5,
shafts of long bones 1.5. Paired bones are drawn on the patient's left and mirrored.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from scintilab.phantom.geometry import Array, Points, ellipsoid, sheet, tube

GROUPS = ("trunk", "head", "left arm", "right arm", "left leg", "right leg")
"""What moves as one when a patient lies down."""

_SPINE_DEPTH = PchipInterpolator(
    [850, 940, 1000, 1070, 1170, 1250, 1350, 1455, 1500, 1560, 1600],
    [-62, -64, -34, -28, -50, -60, -58, -27, -12, -8, 0],
)
"""y of the spine's centreline at height z: lumbar hollow, thoracic hump, neck."""

Parts = Iterator[tuple[str, Points]]


class Skeleton(NamedTuple):
    """All bones as one cloud of n points, ordered by height."""

    position: Array
    """[n, 3] mm."""
    weight: Array
    """[n], volume times concentration."""
    bone: NDArray[np.intp]
    """[n], index into `names`."""
    group: NDArray[np.intp]
    """[n], index into GROUPS."""
    names: tuple[str, ...]
    """Such as "T11", "rib 7 left", "femur right"."""


def kind(bone: str) -> str:
    """Return what a bone is, without its number and side: "rib 7 left" is a "rib", "T11" a "T"."""
    return bone.split(maxsplit=1)[0].rstrip("0123456789")


@cache
def skeleton() -> Skeleton:
    """Return the reference skeleton (shared: do not change it)."""
    parts = [
        *(("trunk", *part) for part in _spine()),
        *(("trunk", *part) for part in _breastbone()),
        *(("head", *part) for part in _head()),
    ]
    for group, bones in (
        ("trunk", _ribs),
        ("trunk", _shoulder_girdle),
        ("trunk", _half_pelvis),
        ("arm", _arm),
        ("leg", _leg),
    ):
        for side in ("left", "right"):
            parts += [
                (group if group == "trunk" else f"{side} {group}", f"{name} {side}", _on(side, points))
                for name, points in bones()
            ]
    return _assembled(parts)


def _on(side: str, points: Points) -> Points:
    return points if side == "left" else Points(points.position * (-1, 1, 1), points.weight)


def _assembled(parts: Iterable[tuple[str, str, Points]]) -> Skeleton:
    """Join parts into one cloud; a small fixed scatter hides the lattice that would show as moire."""
    parts = list(parts)
    names = tuple(dict.fromkeys(name for _, name, _ in parts))
    position = np.concatenate([points.position for _, _, points in parts])
    position += np.random.default_rng(0).normal(0, 1.6, position.shape)
    weight = np.concatenate([points.weight for _, _, points in parts])
    bone = np.concatenate([np.full(len(points.weight), names.index(name)) for _, name, points in parts])
    group = np.concatenate([np.full(len(points.weight), GROUPS.index(group)) for group, _, points in parts])
    order = np.argsort(position[:, 2])
    return Skeleton(position[order], weight[order], bone[order], group[order], names)


def _spine() -> Parts:
    """Vertebrae as four parts each (body, spinous process, two facet joints), then sacrum and coccyx."""
    for level, heights, radii, half, uptake in (
        ("C", np.linspace(1552, 1458, 7), (12, 13), (5.5, 5.5), 4.6),
        ("T", np.linspace(1434, 1172, 12), (13, 18), (7.6, 10.9), 5.2),
        ("L", np.linspace(1140, 1004, 5), (21, 25), (13, 13), 5.8),
    ):
        for i, z in enumerate(heights):
            way = i / (len(heights) - 1)
            radius, tall = np.interp(way, (0, 1), radii), np.interp(way, (0, 1), half)
            yield from ((f"{level}{i + 1}", points) for points in _vertebra(level, z, radius, tall, uptake))
    base, middle, tip = (np.array([0, _SPINE_DEPTH(z) - 8 * (z > 900), z]) for z in (990, 945, 892))
    yield "sacrum", tube([base, middle, tip], (52, 44, 18), 4.0, depth=0.3)
    yield "coccyx", tube([(0, -64, 888), (0, -58, 858)], 7, 2.5)


def _vertebra(level: str, z: float, radius: float, tall: float, uptake: float) -> Iterator[Points]:
    centre = np.array([0, _SPINE_DEPTH(z), z])
    reach = 16 if level == "C" else 26
    yield tube(
        [centre - (0, 0, tall), centre + (0, 0, tall)], (radius * 1.08, radius * 0.95, radius * 1.08), uptake, depth=0.8
    )
    yield tube([centre + (0, -radius - 6, -2), centre + (0, -radius - reach, -10)], 4.5, uptake * 0.9)
    for side in (-1, 1):
        pedicle = centre + (side * radius * 0.6, -radius * 0.8, 2)
        yield tube([pedicle, centre + (side * (radius + 12), -radius - 7, 3)], 4.2, uptake * 0.9, ends=(1, 1.2))


def _head() -> Parts:
    """A thin bright-rimmed vault, a faint base, and a face with open eye sockets."""
    yield (
        "skull",
        ellipsoid(
            (0, 4, 1642),
            (74, 93, 80),
            2.2,
            wall=7,
            keep=lambda at: at[:, 2] + 0.35 * at[:, 1] > -58 + 14 * np.abs(at[:, 0]) / 74,
        ),
    )
    yield "skull", ellipsoid((0, 8, 1592), (44, 52, 22), 0.45)
    yield "skull", ellipsoid((0, -48, 1592), (40, 36, 24), 0.5)
    for side in (-1, 1):
        yield "skull", ellipsoid((side * 42, -6, 1588), (15, 16, 14), 1.6)
        yield "face", ellipsoid((side * 33, 66, 1594), (22, 16, 19), 1.5, wall=4)
        yield "face", tube([(side * 60, 18, 1580), (side * 56, 52, 1572), (side * 36, 74, 1566)], 5.5, 2.0)
        yield "face", ellipsoid((side * 19, 70, 1556), (15, 14, 15), 2.0)
    yield "face", ellipsoid((0, 80, 1578), (9, 10, 22), 2.4)
    yield "face", tube([(-38, 58, 1538), (0, 86, 1538), (38, 58, 1538)], 6, 2.0)
    jaw = [(-52, 14, 1578), (-46, 32, 1534), (-20, 76, 1514), (20, 76, 1514), (46, 32, 1534), (52, 14, 1578)]
    yield "mandible", tube(jaw, (6, 7, 7, 7, 7, 6), 1.6)


def _breastbone() -> Parts:
    yield "sternum", tube([(0, 62, 1402), (0, 72, 1352)], (27, 20), 3.4, ends=(1.15, 1.3), depth=0.38)
    yield "sternum", tube([(0, 74, 1345), (0, 88, 1288), (0, 92, 1238)], (15, 18, 10), 3.1, depth=0.4)


def _ribs() -> Parts:
    """Twelve half rings that fall towards the front and end, brighter, where cartilage begins."""
    width = (50, 76, 96, 110, 120, 127, 131, 133, 132, 128, 121, 108)
    half_depth = (36, 53, 66, 75, 83, 88, 91, 92, 91, 88, 82, 74)
    fall = (38, 58, 76, 90, 102, 112, 120, 122, 118, 106, 72, 45)
    reach = (150, 150, 149, 147, 145, 142, 137, 128, 119, 108, 80, 52)
    for i, top in enumerate(np.linspace(1438, 1176, 12)):
        turn = np.radians(np.linspace(24, reach[i], 9))
        back = _SPINE_DEPTH(top)
        ring = np.stack(
            [
                width[i] * np.sin(turn),
                back - 36 + half_depth[i] * (1 - np.cos(turn)),
                top - fall[i] * ((1 - np.cos(turn)) / 2) ** 0.75,
            ],
            1,
        )
        arc = np.vstack([(16, back - 8, top), ring])
        yield f"rib {i + 1}", tube(arc, 5.4, 3.3, ends=(1.35, 1.5), depth=0.75, across=(0, 0.2, 1))


def _shoulder_girdle() -> Parts:
    yield (
        "clavicle",
        tube([(20, 64, 1404), (65, 72, 1416), (118, 42, 1430), (165, 6, 1426)], (10, 6, 6, 8.5), 2.6, ends=(1.6, 1.6)),
    )
    yield "scapula", sheet([(76, -82, 1412), (148, -34, 1384), (130, -60, 1340), (92, -96, 1282)], 6, 2.4, rim=1.6)
    yield "scapula", ellipsoid((93, -95, 1284), (9, 6, 12), 3.2)
    yield "scapula", tube([(80, -96, 1384), (130, -70, 1405), (172, -12, 1424)], 6.5, 2.8, ends=(1.3, 1.3))
    yield "scapula", ellipsoid((150, -26, 1384), (10, 14, 18), 3.6)
    yield "scapula", tube([(145, -15, 1400), (133, 14, 1404)], 6, 3.2)


def _half_pelvis() -> Parts:
    yield (
        "ilium",
        sheet([(44, -88, 985), (136, 58, 994), (104, 30, 918), (62, -48, 918)], 13, 3.1, lift=(34, -22, 66), rim=1.25),
    )
    yield "ilium", tube([(44, -88, 985), (96, -60, 1046), (142, -6, 1052), (147, 36, 1022), (136, 58, 994)], 7, 3.4)
    yield "ilium", ellipsoid((98, 8, 938), (22, 30, 24), 2.0)
    yield "sacroiliac", tube([(46, -64, 998), (49, -72, 960), (40, -78, 922)], (8, 8, 6), 6.0)
    yield "acetabulum", ellipsoid((92, 6, 906), (36, 32, 36), 2.4, wall=8, keep=lambda at: at[:, 0] < 12)
    yield "pubis", tube([(84, 16, 898), (48, 48, 890), (9, 54, 870)], (12, 8, 10), 2.6)
    yield "pubis", tube([(9, 52, 860), (34, 14, 836), (58, -34, 826)], (8, 6, 9), 2.4)
    yield "ischium", tube([(84, -22, 892), (74, -46, 858), (60, -40, 828)], (18, 15, 13), 2.7)


def _arm() -> Parts:
    elbow, wrist = np.array([226, -18, 1090]), np.array([262, 12, 838])
    yield "humerus", ellipsoid((172, -14, 1392), (23, 23, 25), 2.7)
    yield (
        "humerus",
        tube(np.vstack([(176, -14, 1385), (200, -18, 1240), elbow + (0, 0, 8)]), (16, 10.5, 12), 1.5, ends=(1.3, 1.4)),
    )
    yield "elbow", ellipsoid(elbow + (0, 0, 4), (24, 11, 14), 1.9)
    yield "forearm", tube([elbow + (-9, -6, -5), wrist + (-14, -4, 0)], (9, 6.5, 7.5), 1.6, ends=(1.3, 1.3))
    yield "forearm", tube([elbow + (10, 4, -8), wrist + (10, 4, 0)], (8, 7, 11), 1.6, ends=(1.3, 1.5))
    yield "wrist", ellipsoid(wrist + (0, 0, -18), (23, 8, 15), 2.6)
    for finger in range(5):
        yield from (("hand", points) for points in _finger(wrist, finger))


def _finger(wrist: Array, finger: int) -> Iterator[Points]:
    """Metacarpal and two phalanges; finger 0 is the thumb, short and spread towards the body."""
    thumb = finger == 0
    spread = (finger - 2) * 11 * (1.9 if thumb else 1)
    root = wrist + ((finger - 2) * 9, 0, -32)
    knuckle = wrist + (spread, 4, -92 + 18 * thumb)
    tip = wrist + (spread * 1.25, 2, -165 + 12 * abs(finger - 2) + 45 * thumb)
    middle = (knuckle + tip) / 2
    yield tube([root, knuckle], 4.4, 2.3, ends=(1.4, 1.4))
    yield tube([knuckle, middle], 4, 2.2, ends=(1.6, 1.6))
    yield tube([middle, tip], 3.4, 2.2, ends=(1.5, 1.5))


def _leg() -> Parts:
    yield "femur", ellipsoid((92, 8, 906), 23, 2.5)
    yield "femur", tube([(96, 6, 902), (136, -6, 868)], (16, 18), 2.2)
    yield "femur", ellipsoid((146, -12, 880), (13, 15, 20), 2.5)
    yield (
        "femur",
        tube(
            [(137, -6, 864), (125, 6, 740), (106, 6, 610), (90, 0, 520)],
            (17, 13.5, 14, 24),
            1.3,
            ends=(1.2, 1.3),
            depth=0.9,
        ),
    )
    yield from (("knee", points) for points in _knee())
    yield "patella", ellipsoid((88, 42, 512), (20, 9, 21), 1.9)
    yield "tibia", tube([(88, 2, 462), (90, 6, 330), (84, -4, 84)], (28, 12, 15), 1.3, ends=(1.25, 1.3))
    yield "fibula", tube([(118, -16, 448), (116, -12, 260), (108, -10, 76)], (8, 5, 8), 1.3, ends=(1.3, 1.4))
    yield from _foot()


def _knee() -> Iterator[Points]:
    """Condyles and plateau, each a soft-edged stack of ellipsoids, with the joint space between."""
    for side in (-20, 20):
        yield ellipsoid((88 + side, -6, 500), (20, 26, 20), 1.2)
        yield ellipsoid((88 + side, -10, 488), (16, 20, 14), 1.0)
        yield ellipsoid((88 + side, 0, 468), (20, 22, 13), 1.5)
    yield ellipsoid((88, 0, 506), (32, 24, 22), 0.5)
    yield ellipsoid((88, 0, 478), (32, 24, 30), 0.8)


def _foot() -> Parts:
    """Feet fall outwards and are seen from the instep."""
    yield "ankle", ellipsoid((88, 0, 70), (24, 22, 18), 1.2)
    yield "heel", ellipsoid((88, -36, 34), (17, 30, 20), 0.9)
    yield "tarsus", ellipsoid((94, 44, 44), (25, 26, 20), 0.9)
    for toe in range(5):
        root, ball = (82 + 8 * toe, 62, 38), (83 + 11 * toe, 116, 12 - 2 * toe)
        tip = (83 + 12 * toe, 146 - 8 * toe, -6 + 4 * toe)
        yield "foot", tube([root, ball, tip], (5, 5.5, 4), 1.1, ends=(1, 1.2))
