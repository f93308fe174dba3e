"""What the classifier two-sample test promises."""

import numpy as np

from scintilab.studies.coarse import coarse
from scintilab.studies.two_sample import by_features, by_pixels
from tests.unit.scintilab.studies.painter import Painter, painted

RNG = np.random.default_rng(6)
FIRST, SAME = RNG.normal(size=(2, 200, 5))


def test_one_kind_cannot_be_told_apart() -> None:
    """The interval of either learner includes 0.50 for two sets of one kind."""
    for area in by_features(FIRST, SAME, resamples=200).values():
        assert area.low < 0.5 < area.high


def test_another_kind_is_told_apart() -> None:
    """A column that is a little higher is found."""
    for area in by_features(FIRST, SAME + np.array([1.5, 0, 0, 0, 0]), resamples=200).values():
        assert area.low > 0.6


def test_pixels_tell_what_pixels_show() -> None:
    """Taller patients are told from others by a small network, and patients of the same painter are not."""
    real, same = (coarse(painted(80, seed)) for seed in (1, 2))
    taller = coarse(painted(80, 3, Painter(taller=0.8)))
    assert by_pixels(real, taller, steps=50, resamples=200).low > 0.8
    alike = by_pixels(real, same, steps=50, resamples=200)
    assert alike.low < 0.55
