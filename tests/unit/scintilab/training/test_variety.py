"""What varying a scan promises: pictures and truth move together, and counts stay counts."""

import numpy as np
import pytest

from scintilab.training.material import Scans
from scintilab.training.variety import blurred, shortened, varied, views_swapped


def marked(scans: int = 12) -> Scans:
    """Scans in which exactly the foci are bright: metastases twice as bright as others."""
    foci = np.zeros((scans, 4, 512, 256), np.bool_)
    foci[:, 0, 100:110, 60:64] = foci[:, 1, 300:310, 200:204] = True
    foci[:, 2, 250:255, 80:90] = foci[:, 3, 400:405, 30:40] = True
    canvas = (200.0 * foci[:, :2] + 100.0 * foci[:, 2:]).astype(np.float32)
    return Scans(canvas, np.tile(np.array([1, 0], np.float32), (scans, 1)), foci)


def test_foci_move_with_the_patient() -> None:
    """Wherever a scan is moved and however it is shortened, exactly its foci stay bright."""
    scans = marked()
    moved = varied(scans, np.random.default_rng(1))
    assert moved.places is not None
    np.testing.assert_array_equal(moved.canvas > 0, moved.places[:, :2] | moved.places[:, 2:])
    assert len({tuple(np.argwhere(foci[0])[0]) for foci in moved.places}) > 6
    assert scans.canvas.sum() == marked().canvas.sum()


def test_views_change_places() -> None:
    """A swapped scan is its mirror image side by side: pictures, foci and what is present; another stays."""
    scans = marked()
    swapped = views_swapped(scans, np.random.default_rng(2))
    turned = swapped.present[:, 1] == 1
    assert 0 < turned.sum() < len(turned)
    beside, before = (np.concatenate([each.canvas[:, 0], each.canvas[:, 1]], axis=2) for each in (swapped, scans))
    np.testing.assert_array_equal(beside[turned], before[turned][..., ::-1])
    np.testing.assert_array_equal(beside[~turned], before[~turned])
    assert swapped.places is not None
    np.testing.assert_array_equal(swapped.canvas == 200, swapped.places[:, :2])
    np.testing.assert_array_equal(swapped.canvas == 100, swapped.places[:, 2:])


def test_shorter_scan_is_a_scan() -> None:
    """Keeping a third of the photons leaves a third of the counts, as noisy as such a scan is (Poisson)."""
    rng = np.random.default_rng(3)
    long = (rng.poisson(20, (512, 256)) / 2).astype(np.float32)
    short = shortened(long, 1 / 3, rng)
    assert short.mean() == pytest.approx(10 / 3, rel=0.01)
    assert (2 * short).var() / (2 * short).mean() == pytest.approx(1, abs=0.02)


def test_blur_keeps_counts() -> None:
    """Neighbours share, and nothing is lost."""
    canvas = np.zeros((2, 512, 256), np.float32)
    canvas[0, 256, 128] = 16
    smooth = blurred(canvas)
    assert smooth[0, 255:258, 127:130].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert smooth.sum() == 16
