"""Where each part of the reference adult lies in one patient at one visit."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scintilab.phantom.geometry import Array
from scintilab.phantom.organs import Organ
from scintilab.phantom.pose import Pose, fit, hangs_at
from scintilab.phantom.template import Template

_HEART = ("blood pool", "left ventricle", "right ventricle", "infarct")
_LOOSE = {"kidney": 8.0, "calyces": 8.0, "bladder": 5.0, "bowel": 14.0, "contamination": 18.0, "port": 12.0}
"""Standard deviation of where an organ lies, mm; else 4."""


def place(seats: np.random.Generator, loose: np.random.Generator, pose: Pose, adult: Template) -> NDArray[np.float32]:
    """Return the affine map of each of p parts, [p, 3, 4]: how it sits in this patient, then how the patient lies.

    Args:
        seats: the stream of how bones sit, the same at every visit.
        loose: the stream of where organs lie, another at every visit.
        pose: of the patient.
        adult: whose parts they are.
    """
    middle = adult.middle[: len(adult.bones)]
    bones = [
        _lying(pose, bone.group, float(at[2])) @ seat
        for bone, at, seat in zip(adult.bones, middle, fit(seats, adult.bones, middle), strict=True)
    ]
    organs = [_lying(pose, organ.group, organ.centre[2]) @ seat for organ, seat in _organs(loose, adult)]
    return np.stack([*bones, *organs])[:, :3].astype(np.float32)


def _lying(pose: Pose, group: str, height: float) -> Array:
    return pose.place(group, height if group == "trunk" else hangs_at(group))


def _organs(rng: np.random.Generator, adult: Template) -> Iterator[tuple[Organ, Array]]:
    """Organs a little off their usual place; the parts of the heart move as one, and so do a kidney and its calyces."""
    heart = rng.normal(0, (8, 6, 10)), np.exp(rng.normal(0, 0.09)), rng.normal(0, 0.12, 3)
    bladder = rng.uniform(0.65, 1.3)
    kidneys = {side: rng.normal(0, (5, 5, 9)) for side in ("left", "right")}
    for organ in adult.organs:
        spread = _LOOSE.get(organ.name.split(maxsplit=1)[0], 4.0)
        step, size, turn = rng.normal(0, spread, 3), np.exp(rng.normal(0, 0.1)), np.zeros(3)
        if organ.name in _HEART:
            step, size, turn = heart
        elif organ.name.startswith(("kidney", "calyces")):
            step, size = kidneys[organ.name.split()[1]], 1.0
        elif organ.name == "bladder":
            step, size = np.array([step[0], step[1], 12 * (bladder - 1)]), bladder
        yield organ, _seat(organ.centre + step, size, turn)


def _seat(centre: Array, size: float, turn: Array) -> Array:
    """Return [4, 4]: as large, turned by a small angle about each axis, and there."""
    x, y, z = turn
    seat = np.eye(4)
    seat[:3, :3] = size * (np.eye(3) + [[0, -z, y], [z, 0, -x], [-y, x, 0]])
    seat[:3, 3] = centre
    return seat
