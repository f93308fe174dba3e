"""The reference adult as tensors: bones first, then organs, every one a run of points in one cloud."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scintilab.phantom.geometry import Array, joined
from scintilab.phantom.organs import Organ, organs
from scintilab.phantom.skeleton import Bone, bones

CLOUDS = 16
"""Smooth patterns over the body; each patient's bones are a mixture of them, so that no bone is evenly bright."""


class Template(NamedTuple):
    """n points in p parts."""

    bones: tuple[Bone, ...]
    organs: tuple[Organ, ...]
    names: tuple[str, ...]
    """Of all parts: bones, then organs."""
    start: Array
    """[p + 1]: part i is the run of points from start[i] to start[i + 1]."""
    middle: Array
    """[p, 3]: of each part, mm; the origin for organs."""
    position: Tensor
    """float32 [3, n] mm."""
    bone_volume: float
    """Of the whole skeleton, mm3."""
    weight: Tensor
    """float32 [n]."""
    clouds: Tensor
    """float32 [CLOUDS, n], each of mean 0 and variance 1/2; 0 in organs."""

    def slice_of(self, part: str) -> slice:
        """Return the run of points of one part."""
        index = self.names.index(part)
        return slice(int(self.start[index]), int(self.start[index + 1]))


@cache
def template(device: str = "cpu") -> Template:
    """Return the reference adult (shared: do not change it)."""
    skeleton, soft = _merged(tuple(bones())), tuple(organs())
    parts = [*(bone.points for bone in skeleton), *(organ.points for organ in soft)]
    count = [len(part.weight) for part in parts]
    start = np.r_[0, np.cumsum(count)]
    of_bone = np.arange(start[-1]) < start[len(skeleton)]
    grain = np.random.default_rng(0)
    position = np.concatenate([part.position for part in parts])
    position += grain.normal(0, 1.6, position.shape) * of_bone[:, None]  # hides the lattice, which would show as moire
    waves = grain.normal(0, 1, (3, CLOUDS)) / grain.uniform(12, 60, CLOUDS)
    clouds = np.cos(position @ waves + grain.uniform(0, 2 * np.pi, CLOUDS)) * of_bone[:, None]

    def tensor(values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values.T, np.float32)).to(device)

    return Template(
        skeleton,
        soft,
        (*(bone.name for bone in skeleton), *(organ.name for organ in soft)),
        start,
        np.stack([*(bone.points.position.mean(0) for bone in skeleton), *(np.zeros(3) for _ in soft)]),
        tensor(position),
        float(sum(bone.points.volume.sum() for bone in skeleton)),
        tensor(np.concatenate([part.weight for part in parts])),
        tensor(clouds),
    )


def _merged(pieces: tuple[Bone, ...]) -> tuple[Bone, ...]:
    """Join pieces of one name into one bone."""
    merged: dict[str, list[Bone]] = {}
    for piece in pieces:
        merged.setdefault(piece.name, []).append(piece)
    return tuple(same[0]._replace(points=joined([bone.points for bone in same])) for same in merged.values())
