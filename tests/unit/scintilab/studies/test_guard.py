"""What the threshold of the copy filter promises."""

import numpy as np
import pytest

from scintilab.studies.guard import nearest, threshold

RNG = np.random.default_rng(8)
TRAINING, HELD_OUT = RNG.normal(size=(400, 6)), RNG.normal(size=(500, 6))


@pytest.mark.parametrize("refused", [0.01, 0.1])
def test_other_patients_are_refused_as_often_as_allowed(refused: float) -> None:
    """Of those by whom it is set so many at most, and of others again about as many."""
    limit = threshold(HELD_OUT, TRAINING, refused=refused)
    assert (nearest(HELD_OUT, TRAINING) < limit).mean() <= refused
    others = RNG.normal(size=(4000, 6))
    assert (nearest(others, TRAINING) < limit).mean() == pytest.approx(refused, abs=0.5 * refused)


def test_copies_are_below_it() -> None:
    """A training scan with a little noise is refused."""
    copies = TRAINING[:50] + 0.02 * RNG.normal(size=(50, 6))
    assert (nearest(copies, TRAINING) < threshold(HELD_OUT, TRAINING)).all()


def test_nearest_is_the_smallest_distance() -> None:
    """It equals the minimum over plain norms, however many rows are asked at once."""
    wanted = np.linalg.norm(HELD_OUT[:, None] - TRAINING[None], axis=2).min(1)
    assert nearest(np.repeat(HELD_OUT, 3, axis=0), TRAINING) == pytest.approx(np.repeat(wanted, 3))
