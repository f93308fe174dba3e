"""What a comparison with healthy twins promises."""

import numpy as np
import pytest

from scintilab.studies.twins import Twins, of_generator
from tests.unit.scintilab.studies.painter import LOAD, Painter, labels, painted


def test_what_is_added_is_counted_whatever_the_brightness() -> None:
    """A scan thrice as bright as its twin, but for one hot place, has what is hot added; a cold place adds nothing."""
    healthy = np.ones((2, 2, 256, 64), np.float32)
    scans = 3 * healthy
    scans[0, 0, :128, :16] *= 1.8
    scans[1, 0, :10, :10] = 0.1
    assert Twins(np.array([1.0, 0.0]), scans, healthy).added() == pytest.approx([0.05, 0], abs=1e-6)


def test_more_metastases_add_more() -> None:
    """Of a painter who paints as many spots as are asked for more spots add more; bright hearts are left out."""
    asked = labels(40, 3)
    twins = of_generator(painted(40, 3, Painter(), asked=asked), painted(40, 3, Painter(), asked=asked.healthy()))
    assert len(twins.load) == (asked.metastatic & ~asked.cardiac).sum()
    added = twins.added()
    assert np.corrcoef(twins.load / LOAD, added)[0, 1] > 0.5
    assert (added > 0).all()
