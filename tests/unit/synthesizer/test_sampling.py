"""From rates on the canvas to a camera's counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scintiflow.dicom.canvas import canvas_view
from scintiflow.inference.session import Floats
from scintiflow.synthesizer.sampling import sample, unfold

rates = arrays.arrays(np.float32, (2, 6, 3), elements=st.floats(0, 1000, width=32))


def body(seed: int = 0) -> Floats:
    """Rates of a canvas, bright in the middle."""
    canvas = np.zeros((2, 512, 256), np.float32)
    canvas[:, 50:450, 60:190] = np.random.default_rng(seed).uniform(1, 3, (2, 400, 130))
    return canvas


@given(rates)
def test_unfolding_keeps_every_canvas_pixel(canvas: Floats) -> None:
    """The mean of the two rows is the row that they come from, and nothing becomes negative."""
    unfolded = unfold(canvas)
    assert unfolded.shape == (2, 12, 3)
    assert unfolded.min() >= 0
    np.testing.assert_allclose(unfolded.reshape(2, 6, 2, 3).mean(axis=2), canvas, rtol=1e-6, atol=1e-9)


def test_a_straight_line_stays_straight() -> None:
    """Where the rates rise evenly, so do the rows made of them."""
    canvas = np.arange(10, 20, dtype=np.float32)[None, :, None].repeat(2, axis=0)
    inside = unfold(canvas)[0, 2:-2, 0]
    np.testing.assert_allclose(np.diff(inside), 0.5)


def test_the_runtime_sees_the_rate_again() -> None:
    """On the canvas on which classifiers look, the expected counts are the generator's rate."""
    canvas = body()
    again = np.stack([canvas_view(view) for view in unfold(canvas)])
    np.testing.assert_allclose(again, canvas, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("counts", [150_000, 3_000_000])
def test_both_views_hold_the_counts_that_were_asked_for(counts: int) -> None:
    """Both views together hold twice the counts, within what Poisson allows, and the scale of the rate is nothing."""
    scan = sample(7 * body(), counts, np.random.default_rng(1))
    assert scan.dtype == np.uint16
    assert scan.shape == (2, 1024, 256)
    assert abs(int(scan.sum()) - 2 * counts) < 5 * np.sqrt(2 * counts)


def test_the_noise_is_that_of_counts() -> None:
    """Over many scans, the variance of each pixel is its mean."""
    canvas = body()
    scans = np.stack([sample(canvas, 600_000, np.random.default_rng(seed))[:, 200:260, 100:140] for seed in range(300)])
    mean, variance = scans.mean(axis=0), scans.var(axis=0, ddof=1)
    assert np.median(variance / mean) == pytest.approx(1, abs=0.02)


def test_more_than_a_pixel_can_hold_is_all_that_it_can() -> None:
    """A rate that is all in one pixel is cut off at what 16 bits hold, and does not begin anew at nothing."""
    canvas = np.zeros((2, 512, 256), np.float32)
    canvas[0, 100, 100] = 1
    assert sample(canvas, 3_000_000, np.random.default_rng(1)).max() == 65_535
