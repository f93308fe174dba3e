"""How a patient lies: build, curve of the spine, breath, head, arms, legs and feet.

Everything is affine: a group of bones moves as one (`Pose.place`), and each bone sits a little differently in every
patient (`Pose.fit`), left and right on their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scintilab.phantom.geometry import Array
from scintilab.phantom.person import Person
from scintilab.phantom.skeleton import Bone, kind

GROUPS = (
    "trunk",
    "head",
    *(
        f"{side} {part}"
        for side in ("left", "right")
        for part in ("upper arm", "forearm", "hand", "thigh", "shank", "foot")
    ),
)
"""What moves as one when a patient lies down."""

_JOINT = {
    "upper arm": (172.0, -14.0, 1392.0),
    "forearm": (226.0, -18.0, 1090.0),
    "hand": (262.0, 12.0, 838.0),
    "thigh": (92.0, 8.0, 906.0),
    "shank": (90.0, 0.0, 480.0),
    "foot": (88.0, 0.0, 76.0),
}
"""Where each part of the left limbs hangs, mm."""
_ARM, _LEG = ("upper arm", "forearm", "hand"), ("thigh", "shank", "foot")


@dataclass(frozen=True)
class Pose:
    """Takes the reference adult's millimetres to this patient's."""

    scale: tuple[float, float, float]
    """Width, depth and height as multiples of the reference."""
    shift: float
    """How far the patient lies to the left of the table's middle, mm."""
    scoliosis: float
    """Sideways swing of the spine, mm."""
    kyphosis: float
    """How much further back the thoracic spine bulges, mm."""
    breadth: tuple[float, float]
    """Of the hips and of the shoulders, as multiples of the reference."""
    limbs: dict[str, Array]
    """[4, 4]: how each group but the trunk has turned about its joints."""
    angles: Array
    """Everything that was drawn, in degrees, for whoever wants to know how much it tells."""

    def place(self, group: str, height: float) -> Array:
        """Return the affine map [4, 4] of a piece of a group that hangs on the trunk at a height, mm."""
        return self._lying() @ self._on_trunk(group, height) @ self.limbs.get(group, np.eye(4))

    def move(self, position: Array, group: str) -> Array:
        """Move reference positions [n, 3] of one group to where this patient has them."""
        if group == "trunk":
            return np.stack([_apply(self.place(group, at[2]), at) for at in position])
        return _apply(self.place(group, hangs_at(group)), position)

    def _lying(self) -> Array:
        lying = np.diag([*self.scale, 1.0])
        lying[0, 3] = self.shift
        return lying

    def _on_trunk(self, group: str, height: float) -> Array:
        """The trunk is as broad as hips and shoulders say, and bent; limbs and head go along."""
        broad = float(np.interp(height, (950, 1250), self.breadth))
        bent = np.eye(4)
        if group == "trunk":
            bent[0, 0] = broad
        else:
            outward = {"left": 1, "right": -1}.get(group.split(maxsplit=1)[0], 0)
            bent[0, 3] = outward * (broad - 1) * _JOINT["upper arm" if height > 1200 else "thigh"][0]
        bent[0, 3] += self.scoliosis * np.sin(np.pi * np.clip((height - 900) / 600, 0, 1))
        bent[1, 3] -= self.kyphosis * np.sin(np.pi * np.clip((height - 1130) / 420, 0, 1))
        return bent


def hangs_at(group: str) -> float:
    """Return where on the trunk head and limbs hang, mm."""
    return _HANGS_AT[group.split(maxsplit=1)[-1]]


_HANGS_AT = {**dict.fromkeys(_ARM, 1400.0), **dict.fromkeys(_LEG, 906.0), "head": 1462.0}


def draw_pose(rng: np.random.Generator, person: Person) -> Pose:
    """Draw how a patient of this build lies; no disease changes it."""
    tall, stout = person.height_mm / 1720, person.bmi / 24
    woman = person.sex == "F"
    head = np.radians(rng.normal((0, 0, -3), (9, 3.5, 7)))
    angles = [*np.degrees(head)]
    limbs = {"head": _about((0, -10, 1480), _turn("z", head[0]) @ _turn("y", head[1]) @ _turn("x", head[2]))}
    for side in ("left", "right"):
        moved, drawn = _limbs(rng, -1 if side == "right" else 1)
        limbs |= {f"{side} {part}": matrix for part, matrix in moved.items()}
        angles += drawn
    stooped = max(person.age - 60, 0) / 25
    scoliosis, kyphosis = rng.normal(0, 6), float(np.clip(rng.normal(3 + 12 * stooped, 7), -8, 40))
    shift = rng.normal(0, 9)
    return Pose(
        scale=(
            tall * rng.normal(1, 0.025) * stout**0.1,
            stout**0.3 * rng.normal(1, 0.03),
            tall,
        ),
        shift=shift,
        scoliosis=scoliosis,
        kyphosis=kyphosis,
        breadth=(rng.normal(1.05 if woman else 0.99, 0.025), rng.normal(0.95 if woman else 1.02, 0.025)),
        limbs=limbs,
        angles=np.array([*angles, scoliosis, kyphosis, shift]),
    )


def fit(rng: np.random.Generator, bones: Sequence[Bone], middle: Array) -> Array:
    """Draw how each bone sits in this patient: size, turn and place, [bones, 4, 4], in reference millimetres.

    Args:
        rng: the stream.
        bones: of the reference adult.
        middle: of each bone, [bones, 3] mm.
    """
    ribs = np.array([kind(bone.name) == "rib" for bone in bones])
    ends = np.array([bone.name.endswith(" right") for bone in bones])
    turn = np.radians(rng.normal(0, 1.2, (len(bones), 3)))
    breath = np.radians(rng.normal(0, 3.5))
    slope = np.radians(rng.normal(0, 1.6, 2))[ends.astype(int)] + np.radians(rng.normal(0, 1.3, len(bones)))
    turn[ribs] = np.stack([breath + 0.6 * turn[:, 0], slope * np.where(ends, -1, 1), turn[:, 2]], 1)[ribs]
    size = 1 + rng.normal(0, 0.035, (len(bones), 3))
    step = rng.normal(0, 1.3, (len(bones), 3))
    hinge = np.where(ribs[:, None], middle * (0, 0, 1) + (0, -60, 25), middle)
    matrix = np.tile(np.eye(4), (len(bones), 1, 1))
    x, y, z = turn.T
    zero = np.zeros_like(x)
    matrix[:, :3, :3] += np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)  # small angles
    matrix[:, :3, :3] *= size[:, None, :]
    matrix[:, :3, 3] = hinge + step - (matrix[:, :3, :3] @ hinge[:, :, None])[:, :, 0]
    return matrix


def _limbs(rng: np.random.Generator, outward: int) -> tuple[dict[str, Array], list[float]]:
    """Turn one side's arm and leg about shoulder, elbow, wrist, hip, knee and ankle."""
    bend = {
        "upper arm": rng.normal((-2.6, 0, 6), (2.2, 4, 14)),
        "forearm": rng.normal((-1, 0, 10), (4, 7, 16)),
        "hand": rng.normal((0, 0, 0), (5, 6, 30)),
        "thigh": rng.normal((1.0, 0, 8), (1.2, 1, 7)),
        "shank": rng.normal((0.5, 0, 4), (0.9, 2, 5)),
        "foot": rng.normal((0, -18, 8), (2, 9, 9)),
    }
    moved, drawn = {}, []
    for chain in (_ARM, _LEG):
        so_far = np.eye(4)
        for part in chain:
            swing, flex, axial = np.radians(bend[part])
            joint = np.array(_JOINT[part]) * (outward, 1, 1)
            turn = _turn("y", outward * swing) @ _turn("x", flex) @ _turn("z", -outward * axial)
            so_far = so_far @ _about(joint, turn)
            moved[part] = so_far
            drawn += [float(angle) for angle in bend[part]]
    return moved, drawn


def _turn(axis: str, angle: float) -> Array:
    first, second = {"x": (1, 2), "y": (0, 2), "z": (0, 1)}[axis]
    turned = np.eye(3)
    turned[first, first] = turned[second, second] = np.cos(angle)
    turned[first, second], turned[second, first] = -np.sin(angle), np.sin(angle)
    return turned


def _about(joint: Sequence[float] | Array, turn: Array) -> Array:
    """Turn about a joint instead of the origin."""
    moved = np.eye(4)
    moved[:3, :3] = turn
    moved[:3, 3] = joint - turn @ np.asarray(joint)
    return moved


def _apply(matrix: Array, position: Array) -> Array:
    moved: Array = position @ matrix[:3, :3].T + matrix[:3, 3]
    return moved
