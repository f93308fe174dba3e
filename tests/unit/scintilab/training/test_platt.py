"""A calibrated probability means what it says, and nobody changes places."""

import numpy as np
import pytest
from scipy.special import expit

from scintilab.training.platt import platt


def test_a_boaster_is_brought_down_to_earth() -> None:
    """Logits three times too large and one too high come back to what they should have been."""
    chance = np.random.default_rng(1)
    honest = chance.normal(-1, 1.5, 20_000)
    truth = chance.random(len(honest)) < expit(honest)
    line = platt(truth, 3 * honest + 1)
    assert line.slope == pytest.approx(1 / 3, abs=0.02)
    assert line.intercept == pytest.approx(-1 / 3, abs=0.05)


@pytest.mark.parametrize(("sick", "healthy"), [((3.0, 4.0), (-4.0, -3.0)), ((-4.0, -3.0), (3.0, 4.0))])
def test_a_few_patients_change_no_order(sick: tuple[float, ...], healthy: tuple[float, ...]) -> None:
    """Where a network tells all of a few apart, or takes each for the other, the slope is finite and above nought."""
    line = platt(np.array([True, True, False, False]), np.array([*sick, *healthy]))
    assert 0 < line.slope < 20
    assert np.isfinite(line.intercept)
