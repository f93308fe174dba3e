"""What the canvas promises every model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scintiflow.dicom.canvas import HEIGHT, WIDTH, canvas_view


@given(st.integers(1, 1200), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_mean_is_kept(rows: int, cols: int, seed: int) -> None:
    """Whatever the matrix, the canvas has the mean counts of the frame."""
    counts = np.random.default_rng(seed).poisson(5, (rows, cols)).astype(np.uint16)
    canvas = canvas_view(counts)
    assert canvas.shape == (HEIGHT, WIDTH)
    assert canvas.dtype == np.float32
    assert canvas.mean(dtype=np.float64) == pytest.approx(counts.mean(), rel=1e-5, abs=1e-6)


def test_two_rows_become_one() -> None:
    """A 1024 x 256 frame has its rows averaged in pairs, its columns untouched."""
    counts = np.random.default_rng(1).poisson(9, (1024, 256)).astype(np.uint16)
    np.testing.assert_allclose(canvas_view(counts), (counts[::2] + counts[1::2]) / 2, rtol=1e-6)


def test_small_frame_is_spread_without_ripples() -> None:
    """A frame smaller than the canvas is enlarged by whole pixels, without new extremes."""
    counts = np.array([[0, 8], [2, 4]], np.uint16)
    canvas = canvas_view(counts)
    assert np.array_equal(canvas[:256, 128:], np.full((256, 128), 8, np.float32))
    assert np.array_equal(np.unique(canvas), [0, 2, 4, 8])


def test_orientation_is_kept() -> None:
    """The head stays up and the left edge stays left."""
    counts = np.zeros((900, 300), np.int16)
    counts[0, 299] = 100
    row, col = np.unravel_index(canvas_view(counts).argmax(), (HEIGHT, WIDTH))
    assert (row, col) == (0, WIDTH - 1)
