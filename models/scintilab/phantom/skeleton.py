"""The skeleton of a reference adult, 1720 mm tall, drawn once: every patient is a variation of it.

Concentrations are like standardised uptake values three hours after injection: spine : rib : humerus about
3 : 1 : 0.9 as means of whole bones (Tata Memorial, 60 patients), a lumbar vertebra 6 at its hottest. Paired bones
are drawn on the patient's left and mirrored.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from scintilab.phantom.geometry import Array, Points, ellipsoid, sheet, tube

_SPINE_DEPTH = PchipInterpolator(
    [850, 940, 1000, 1070, 1170, 1250, 1350, 1455, 1500, 1560, 1600],
    [-62, -64, -34, -28, -50, -60, -58, -27, -12, -8, 0],
)
"""y of the spine's centreline at height z: lumbar hollow, thoracic hump, neck."""

Bones = Iterator[tuple[str, Points]]


class Bone(NamedTuple):
    """One bone of the reference adult."""

    name: str
    """Such as "T11", "rib 7 left", "femur right"."""
    group: str
    """What it moves with, one of `pose.GROUPS`."""
    points: Points


def kind(bone: str) -> str:
    """Return what a bone is, without its number and side: "rib 7 left" is a "rib", "T11" a "T"."""
    return bone.split(maxsplit=1)[0].rstrip("0123456789")


def bones() -> Iterator[Bone]:
    """Draw all bones."""
    for group, drawn in (("trunk", _spine()), ("trunk", _breastbone()), ("head", _head())):
        yield from (Bone(name, group, points) for name, points in drawn)
    for group, draw in _PAIRED:
        for side in ("left", "right"):
            moves_with = group if group == "trunk" else f"{side} {group}"
            yield from (Bone(f"{name} {side}", moves_with, _on(side, points)) for name, points in draw())


def _on(side: str, points: Points) -> Points:
    return points if side == "left" else points._replace(position=points.position * (-1, 1, 1))


def _shaded(points: Points, shade: Callable[[Array, Array, Array], Array]) -> Points:
    """Make uptake depend on where a piece lies."""
    return points._replace(weight=points.weight * shade(*points.position.T))


def _spine() -> Bones:
    """Vertebrae as four parts each (body, spinous process, two facet joints), then sacrum and coccyx."""
    for level, heights, radii, half, uptake in (
        ("C", np.linspace(1552, 1458, 7), (12, 13), (5.5, 5.5), 5.0),
        ("T", np.linspace(1434, 1172, 12), (13, 18), (7.6, 10.9), 5.3),
        ("L", np.linspace(1140, 1004, 5), (21, 25), (13, 13), 5.4),
    ):
        for i, z in enumerate(heights):
            way = i / (len(heights) - 1)
            radius, tall = np.interp(way, (0, 1), radii), np.interp(way, (0, 1), half)
            yield from ((f"{level}{i + 1}", points) for points in _vertebra(level, z, radius, tall, uptake))
    base, middle, tip = (np.array([0, _SPINE_DEPTH(z) - 8 * (z > 900), z]) for z in (990, 945, 892))
    yield "sacrum", tube([base, middle, tip], (52, 44, 18), 3.4, depth=0.3)
    yield "coccyx", tube([(0, -64, 888), (0, -58, 858)], 7, 2.3)


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


def _head() -> Bones:
    """A thin vault, thicker in front and behind; a base; a face of sinuses, cheeks, palate and teeth."""
    vault = ellipsoid(
        (0, 4, 1642),
        (74, 93, 80),
        2.4,
        wall=7,
        keep=lambda at: at[:, 2] + 0.35 * at[:, 1] > -58 + 14 * np.abs(at[:, 0]) / 74,
    )
    yield "skull", _shaded(vault, lambda x, y, z: 1 + 0.25 * ((y - 4) / 93) ** 2 - 0.25 * (z > 1690) * (x / 74) ** 2)
    yield "skull base", ellipsoid((0, 8, 1592), (50, 56, 26), 0.45)
    yield "skull base", ellipsoid((0, -50, 1594), (42, 36, 28), 0.5)
    for side in (-1, 1):
        yield "skull base", ellipsoid((side * 44, -8, 1588), (17, 19, 16), 1.5)
        yield "face", ellipsoid((side * 31, 62, 1592), (24, 21, 22), 1.3, wall=7)
        yield "face", tube([(side * 62, 12, 1582), (side * 56, 48, 1574), (side * 34, 70, 1568)], 5, 1.7)
        yield "face", ellipsoid((side * 18, 60, 1558), (21, 21, 21), 1.2)
    yield "face", ellipsoid((0, 72, 1580), (10, 14, 24), 1.4)
    yield "face", ellipsoid((0, 74, 1612), (17, 9, 12), 1.3)
    yield "face", tube([(-32, 50, 1540), (-20, 76, 1538), (0, 84, 1538), (20, 76, 1538), (32, 50, 1540)], 7, 1.4)
    jaw = [(-52, 14, 1578), (-46, 32, 1534), (-20, 76, 1514), (20, 76, 1514), (46, 32, 1534), (52, 14, 1578)]
    yield "mandible", tube(jaw, (8, 8, 9, 9, 8, 8), 1.0, ends=(1.4, 1.4))


def _breastbone() -> Bones:
    yield "manubrium", tube([(0, 62, 1402), (0, 72, 1352)], (26, 20), 3.4, ends=(1.1, 1.3), depth=0.38)
    yield "sternum", tube([(0, 74, 1345), (0, 88, 1288), (0, 92, 1238)], (15, 18, 10), 2.6, depth=0.4)
    yield "xiphoid", ellipsoid((0, 92, 1224), (7, 4, 13), 1.6)


def _ribs() -> Bones:
    """Twelve half rings that fall towards the front; brightest at the spine and where cartilage begins."""
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
        bone = tube(arc, (6.5, 6, 6, 6.5), 2.1, ends=(1.6, 1.5), depth=0.75, across=(0, 0.2, 1))
        yield f"rib {i + 1}", _fainter_in_front(bone, middle=back - 36 + half_depth[i])


def _fainter_in_front(rib: Points, middle: float) -> Points:
    return _shaded(rib, lambda x, y, z: np.where(y > middle, 0.85, 1.0))


def _shoulder_girdle() -> Bones:
    collar = tube(
        [(20, 64, 1404), (65, 72, 1414), (118, 42, 1428), (165, 6, 1424)], (12, 7, 6.5, 10), 1.7, ends=(1.8, 1.9)
    )
    yield "clavicle", collar
    yield "scapula", sheet([(76, -82, 1412), (148, -34, 1384), (130, -60, 1340), (92, -96, 1282)], 8, 2.3, rim=1.25)
    yield "scapula", ellipsoid((97, -92, 1292), (13, 9, 18), 1.9)
    yield "scapula", tube([(80, -96, 1384), (130, -70, 1405), (172, -12, 1424)], 8, 2.1, ends=(1.2, 1.4))
    yield "glenoid", ellipsoid((152, -24, 1386), (12, 16, 20), 3.4)
    yield "acromion", ellipsoid((171, -12, 1424), (13, 14, 9), 3.0)
    yield "scapula", tube([(145, -15, 1400), (133, 14, 1404)], 7, 2.8)


def _half_pelvis() -> Bones:
    yield (
        "ilium",
        sheet([(44, -88, 985), (136, 58, 994), (104, 30, 918), (62, -48, 918)], 13, 2.2, lift=(34, -22, 66), rim=1.25),
    )
    yield "ilium", tube([(44, -88, 985), (96, -60, 1046), (142, -6, 1052), (147, 36, 1022), (136, 58, 994)], 8.5, 2.3)
    yield "ilium", ellipsoid((134, 52, 990), (11, 12, 14), 2.6)
    yield "ilium", ellipsoid((98, 8, 938), (26, 33, 28), 1.5)
    yield "sacroiliac", tube([(46, -64, 998), (49, -72, 960), (40, -78, 922)], (10, 12, 9), 3.6)
    yield "acetabulum", ellipsoid((92, 6, 906), (38, 34, 38), 1.8, wall=10, keep=lambda at: at[:, 0] < 12)
    yield "pubis", tube([(84, 16, 898), (48, 48, 890), (9, 54, 870)], (12, 8, 10), 2.0)
    yield "pubis", tube([(9, 52, 860), (34, 14, 836), (58, -34, 826)], (8, 6, 9), 1.9)
    yield "ischium", tube([(84, -22, 892), (74, -46, 858), (60, -40, 828)], (18, 15, 13), 2.1)


_ELBOW, _WRIST = np.array([226, -18, 1090]), np.array([262, 12, 838])


def _upper_arm() -> Bones:
    yield "humeral head", ellipsoid((172, -14, 1392), (25, 25, 27), 2.6)
    shaft = np.vstack([(176, -14, 1385), (200, -18, 1240), _ELBOW + (0, 0, 8)])
    yield "humerus", tube(shaft, (17, 11, 12), 1.15, ends=(1.4, 1.3))
    yield "elbow", ellipsoid(_ELBOW + (0, 0, 4), (25, 12, 15), 1.4)


def _forearm() -> Bones:
    yield "forearm", tube([_ELBOW + (-9, -6, -5), _WRIST + (-14, -4, 0)], (9, 6.5, 7.5), 1.3, ends=(1.3, 1.4))
    yield "forearm", tube([_ELBOW + (10, 4, -8), _WRIST + (10, 4, 0)], (8, 7, 11), 1.3, ends=(1.3, 1.6))
    yield "wrist", ellipsoid(_WRIST + (0, 0, -18), (23, 8, 15), 2.3)


def _hand() -> Bones:
    for finger in range(5):
        yield from (("hand", points) for points in _finger(_WRIST, finger))


def _finger(wrist: Array, finger: int) -> Iterator[Points]:
    """Metacarpal and two phalanges; finger 0 is the thumb, short and spread towards the body."""
    thumb = finger == 0
    spread = (finger - 2) * 11 * (1.9 if thumb else 1)
    root = wrist + ((finger - 2) * 9, 0, -32)
    knuckle = wrist + (spread, 4, -92 + 18 * thumb)
    tip = wrist + (spread * 1.25, 2, -165 + 12 * abs(finger - 2) + 45 * thumb)
    middle = (knuckle + tip) / 2
    yield tube([root, knuckle], 4.6, 1.9, ends=(1.5, 1.5))
    yield tube([knuckle, middle], 4.2, 1.8, ends=(1.6, 1.6))
    yield tube([middle, tip], 3.6, 1.8, ends=(1.5, 1.5))


def _thigh() -> Bones:
    yield "femur", ellipsoid((92, 8, 906), 24, 1.6)
    yield "femur", tube([(96, 6, 902), (136, -6, 868)], (17, 19), 1.4)
    yield "trochanter", ellipsoid((147, -12, 880), (16, 18, 24), 1.5)
    shaft = [(137, -6, 864), (125, 6, 740), (106, 6, 610), (90, 0, 520)]
    yield "femur", tube(shaft, (17, 13.5, 14, 22), 0.75, ends=(1.3, 1.3), depth=0.9)
    for side, name in ((-22, "medial"), (22, "lateral")):
        yield f"{name} condyle", ellipsoid((88 + 0.8 * side, -4, 500), (27, 30, 30), 0.5)
    yield "patella", ellipsoid((88, 40, 518), (22, 10, 23), 0.75)


def _shank() -> Bones:
    for side, name in ((-20, "medial"), (20, "lateral")):
        yield f"{name} plateau", ellipsoid((88 + 0.9 * side, 0, 467), (26, 26, 15), 0.85)
    yield "tibia", tube([(88, 2, 462), (90, 6, 330), (84, -4, 84)], (26, 12, 16), 0.62, ends=(1.3, 1.5))
    yield "fibula", tube([(118, -16, 448), (116, -12, 260), (108, -10, 76)], (8, 5, 8), 0.6, ends=(1.5, 1.6))


def _foot() -> Bones:
    """Seen from the instep, with toes that point away from the table."""
    yield "ankle", ellipsoid((88, 0, 70), (27, 25, 22), 1.0)
    yield "heel", ellipsoid((88, -36, 34), (20, 33, 26), 0.75)
    yield "tarsus", ellipsoid((92, 44, 44), (27, 32, 24), 0.8)
    for toe in range(5):
        root, ball = (82 + 6 * toe, 62, 38), (76 + 11 * toe, 116, 10 - 2 * toe)
        tip = (74 + 12 * toe, 150 - 9 * toe, -8 + 4 * toe)
        yield "foot", tube([root, ball, tip], (5.5, 6, 4.5), 0.85, ends=(1, 1.3))


_PAIRED: tuple[tuple[str, Callable[[], Bones]], ...] = (
    ("trunk", _ribs),
    ("trunk", _shoulder_girdle),
    ("trunk", _half_pelvis),
    ("upper arm", _upper_arm),
    ("forearm", _forearm),
    ("hand", _hand),
    ("thigh", _thigh),
    ("shank", _shank),
    ("foot", _foot),
)
