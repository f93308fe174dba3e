"""What finding hot spots promises."""

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.hot_spots import FIELDS, hot_spots, places


def scan(spots: int, level: float = 4.0, seed: int = 0) -> NDArray[np.float16]:
    """A flat body with Poisson noise and `spots` bright squares in the anterior view."""
    mean = np.zeros((2, 512, 256))
    mean[:, 40:470, 60:200] = level
    for number in range(spots):
        mean[0, 60 + 60 * number : 66 + 60 * number, 120:132] *= 4
    return np.random.default_rng(seed).poisson(mean).astype(np.float16)


def test_spots_are_counted() -> None:
    """Four bright squares are four, none is none, whatever noise and brightness of the scan."""
    for level in (1.0, 4.0, 20.0):
        canvas = np.stack([scan(spots, level, seed) for spots in (0, 4) for seed in range(3)])
        np.testing.assert_array_equal(hot_spots(canvas), [0, 0, 0, 4, 4, 4])


def test_scan_does_not_depend_on_others() -> None:
    """A scan has as many spots among forty others as alone."""
    canvas = np.concatenate([np.zeros((40, 2, 512, 256), np.float16), scan(3)[None]])
    assert hot_spots(canvas)[-1] == hot_spots(canvas[-1:])[0] == 3


def test_a_spot_is_counted_where_it_lies() -> None:
    """Spots one below the other are in fields one below the other, of the view that they are in."""
    fields = places(scan(4)[None]).reshape(2, *FIELDS)
    assert fields.sum() == 4
    assert [int(row) for row in np.flatnonzero(fields[0].sum(axis=1))] == [1, 3, 5, 7]
    assert fields[1].sum() == 0
