"""How a patient lies: size, curve of the spine, head, arms and legs."""

from dataclasses import dataclass

import numpy as np

from scintilab.phantom.geometry import Array

_JOINT = {"arm": (172.0, 1392.0), "leg": (92.0, 906.0)}
"""x and z of the left shoulder and hip of the reference adult."""


@dataclass(frozen=True)
class Pose:
    """Takes the reference adult's millimetres to this patient's."""

    scale: tuple[float, float, float]
    """Width, depth and height as multiples of the reference."""
    shift: float
    """How far the patient lies to the left of the table's middle, mm."""
    scoliosis: float
    """Sideways swing of the spine, mm."""
    head_turn: float
    """About the long axis, radians."""
    head_tilt: float
    """Towards a shoulder, radians."""
    swing: dict[str, float]
    """Outward swing of each limb ("left arm", ...) about its joint, radians."""

    def place(self, position: Array, group: str) -> Array:
        """Move reference positions [n, 3] of one group (see skeleton.GROUPS) to where this patient has them."""
        moved = np.array(position, float)
        if group == "head":
            moved = self._turned_head(moved)
        elif group in self.swing:
            moved = _swung(moved, group, self.swing[group])
        if group in ("trunk", "head"):
            moved[:, 0] += self.scoliosis * np.sin(np.pi * np.clip((moved[:, 2] - 900) / 600, 0, 1))
        return moved * self.scale + (self.shift, 0, 0)

    def _turned_head(self, at: Array) -> Array:
        """The neck follows: nothing moves at its root, all of it at the skull."""
        share = np.clip((at[:, 2] - 1450) / 90, 0, 1)
        x, y = _rotated(at[:, 0], at[:, 1] + 10, share * self.head_turn)
        x, z = _rotated(x, at[:, 2] - 1480, share * self.head_tilt)
        return np.stack([x, y - 10, z + 1480], 1)


def draw_pose(rng: np.random.Generator, height_mm: float, bmi: float) -> Pose:
    """Draw how a patient of this height and body mass index lies."""
    tall = height_mm / 1720
    limbs = {"left arm": -2.6, "right arm": -2.6, "left leg": 0.0, "right leg": 0.0}
    return Pose(
        scale=(tall * rng.normal(1, 0.03) * (bmi / 24) ** 0.12, (bmi / 24) ** 0.3, tall),
        shift=rng.normal(0, 6),
        scoliosis=rng.normal(0, 5),
        head_turn=np.radians(rng.normal(0, 9)),
        head_tilt=np.radians(rng.normal(0, 3)),
        swing={limb: np.radians(rng.normal(usual, 1.3)) for limb, usual in limbs.items()},
    )


def _swung(at: Array, limb: str, angle: float) -> Array:
    side, part = limb.split()
    outward = 1 if side == "left" else -1
    joint_x, joint_z = _JOINT[part][0] * outward, _JOINT[part][1]
    x, z = _rotated(at[:, 0] - joint_x, at[:, 2] - joint_z, outward * angle)
    return np.stack([x + joint_x, at[:, 1], z + joint_z], 1)


def _rotated(first: Array, second: Array, angle: Array | float) -> tuple[Array, Array]:
    return first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)
