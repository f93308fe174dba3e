"""Everything bright that is no bone: kidneys, bladder, heart, blood, glands, the needle's mark, spilt urine, a port.

Each organ is a cloud of unit activity about its own middle. A patient says where it lies, how large it is and how
much it holds; most patients hold nothing of most of them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scintilab.phantom.geometry import Array, Points, ellipsoid, joined, tube


class Organ(NamedTuple):
    """One organ of the reference adult."""

    name: str
    group: str
    centre: tuple[float, float, float]
    """Where its cloud's origin usually lies, mm."""
    points: Points
    """About the origin; weights add up to 1."""


def organs() -> Iterator[Organ]:
    """Draw all organs."""
    for side, outward in (("left", 1), ("right", -1)):
        yield _organ(
            f"kidney {side}", "trunk", (64 * outward, -52, 1128 + 10 * outward), ellipsoid(0, (25, 21, 50), 1, wall=13)
        )
        yield _organ(f"calyces {side}", "trunk", (54 * outward, -50, 1126 + 10 * outward), ellipsoid(0, (10, 9, 17), 1))
        yield _organ(
            f"ureter {side}",
            "trunk",
            (38 * outward, -18, 1020),
            tube([(10 * outward, -14, 70), (0, 0, 0), (2, 20, -80)], 3, 1),
        )
        yield _organ(
            f"breast {side}",
            "trunk",
            (84 * outward, 104, 1298),
            ellipsoid(0, (58, 34, 52), 1, keep=lambda at: at[:, 1] > -12),
        )
        yield _organ(f"contamination {side}", f"{side} thigh", (62 * outward, 66, 780), ellipsoid(0, (9, 4, 14), 1))
        yield _organ(
            f"vein {side}",
            f"{side} upper arm",
            (214 * outward, 0, 1160),
            tube([(10 * outward, 14, -68), (0, 8, 0), (-22 * outward, 6, 150)], 2.5, 1),
        )
        yield _organ(f"elbow needle {side}", f"{side} forearm", (228 * outward, 20, 1080), ellipsoid(0, (6, 5, 9), 1))
        yield _organ(f"wrist needle {side}", f"{side} hand", (258 * outward, 26, 832), ellipsoid(0, (5, 4, 8), 1))
        yield _organ(f"hand needle {side}", f"{side} hand", (262 * outward, 22, 775), ellipsoid(0, (6, 4, 8), 1))
        yield _organ(f"foot needle {side}", f"{side} foot", (92 * outward, 96, 48), ellipsoid(0, (6, 5, 6), 1))
    yield _organ("bladder", "trunk", (0, 34, 900), ellipsoid(0, (37, 29, 26), 1))
    yield _organ(
        "catheter", "trunk", (30, 84, 780), tube([(-28, -30, 60), (-4, 0, 20), (12, 10, -40), (70, 16, -130)], 3, 1)
    )
    yield _organ("urine bag", "left thigh", (205, 10, 640), ellipsoid(0, (38, 10, 60), 1))
    yield _organ("port", "trunk", (-92, 92, 1362), ellipsoid(0, (10, 6, 10), 1))
    yield _organ(
        "liver",
        "trunk",
        (-62, 20, 1192),
        ellipsoid(0, (74, 60, 52), 1, keep=lambda at: at[:, 2] < 26 - 0.35 * at[:, 0]),
    )
    yield _organ("spleen", "trunk", (96, -30, 1196), ellipsoid(0, (24, 40, 42), 1))
    yield _organ("bowel", "trunk", (-10, 30, 1040), _bowel())
    yield _organ("nasopharynx", "head", (0, 42, 1562), ellipsoid(0, (15, 16, 14), 1))
    yield _organ("larynx", "head", (0, 34, 1456), ellipsoid(0, (17, 8, 14), 1))
    yield _organ("blood pool", "trunk", (24, 30, 1276), _blood())
    yield _organ("left ventricle", "trunk", (36, 32, 1268), _ventricle(45, 31, 11, reach=108))
    yield _organ("right ventricle", "trunk", (2, 50, 1266), _ventricle(46, 33, 5, reach=96))
    yield _organ("infarct", "trunk", (36, 32, 1268), _ventricle(45, 31, 11, reach=48))


ORIENTATION = np.array([[0.64, -0.55, 0.54], [0.52, 0.82, 0.22], [-0.57, 0.14, 0.81]])
"""Columns: the heart's long axis (towards the apex: left, forward and down) and two across it."""


def _organ(name: str, group: str, centre: tuple[float, float, float], points: Points) -> Organ:
    return Organ(name, group, centre, points._replace(weight=points.weight / points.weight.sum()))


def _ventricle(length: float, radius: float, wall: float, reach: float) -> Points:
    """A cup open at its base: muscle up to `reach` degrees from the apex, thinner at the tip; x is the long axis."""
    cup = ellipsoid(0, (length, radius, radius), 1, wall=wall)
    along = cup.position[:, 0] / length
    kept = np.degrees(np.arccos(np.clip(along, -1, 1))) < reach
    thin = 1 - 0.35 * np.clip(along, 0, 1) ** 2
    return Points(cup.position[kept] @ ORIENTATION.T, cup.volume[kept], (cup.weight * thin)[kept])


def _blood() -> Points:
    """Both ventricles, the atria, and the aorta down to the diaphragm."""
    chambers = (
        ellipsoid((14, 4, -10), (36, 30, 34), 1),
        ellipsoid((-26, 8, -4), (28, 26, 38), 1),
        ellipsoid((-2, -24, 22), (32, 22, 22), 0.9),
        tube([(-6, 8, 30), (-8, 4, 88), (8, -30, 104), (2, -78, 70), (-8, -84, -60)], 12, 1),
    )
    return joined(chambers)


def _bowel() -> Points:
    """Loops of no particular shape."""
    turn = np.linspace(0, 5 * np.pi, 24)
    loops: Array = np.stack(
        [70 * np.sin(turn), 16 * np.cos(2.3 * turn), np.linspace(60, -70, 24) + 20 * np.cos(turn)], 1
    )
    return tube(loops, 13, 1)
