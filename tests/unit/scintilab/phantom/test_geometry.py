"""What solids and skeleton promise."""

import numpy as np
import pytest

from scintilab.phantom.geometry import ellipsoid, sheet, tube
from scintilab.phantom.skeleton import bones, kind
from scintilab.phantom.template import template


def test_solids_hold_their_volume() -> None:
    """Volumes add up to the solid's, and weights to volume times concentration."""
    assert tube([(0, 0, 0), (0, 0, 100)], 10, 2).weight.sum() == pytest.approx(2 * np.pi * 100 * 100, rel=0.01)
    assert ellipsoid((5, 5, 5), (10, 20, 30), 3).volume.sum() == pytest.approx(4 / 3 * np.pi * 6000, rel=0.01)
    assert sheet([(0, 0, 0), (40, 0, 0), (40, 0, 50), (0, 0, 50)], 5, 2).weight.sum() == pytest.approx(2 * 40 * 50 * 5)


def test_solids_stay_inside_their_walls() -> None:
    """No point of an ellipsoid's wall is nearer to the middle than the wall is thick, or beyond the surface."""
    off = np.linalg.norm(ellipsoid((1, 2, 3), 20, 1, wall=5).position - (1, 2, 3), axis=1)
    assert off.min() >= 15 - 1e-9
    assert off.max() <= 20 + 1e-9


def test_skeleton_is_complete() -> None:
    """A skeleton has 24 vertebrae and 24 ribs, left bones on the left, mirrored on the right."""
    by_name = {bone.name: bone.points.position[:, 0].mean() for bone in bones()}
    assert sum(kind(name) in ("C", "T", "L") for name in by_name) == 24
    assert sum(kind(name) == "rib" for name in by_name) == 24
    for name in (name for name in by_name if name.endswith(" left")):
        left, right = by_name[name], by_name[name.replace(" left", " right")]
        assert left > 0 > right
        assert left == pytest.approx(-right, abs=1)


def test_template_keeps_every_part() -> None:
    """All bones and organs are runs of one cloud, in order, and organs carry one unit of activity each."""
    adult = template()
    assert len(adult.names) == len(set(adult.names)) == len(adult.bones) + len(adult.organs)
    for organ in adult.organs:
        assert float(adult.weight[adult.slice_of(organ.name)].sum()) == pytest.approx(1, rel=1e-4)
    for bone in adult.bones:
        assert float(adult.weight[adult.slice_of(bone.name)].sum()) == pytest.approx(bone.points.weight.sum(), rel=1e-4)
