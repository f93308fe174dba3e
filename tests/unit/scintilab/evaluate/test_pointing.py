"""What the pointing game promises."""

import numpy as np
import pytest

from scintilab.evaluate.drawn import draw
from scintilab.evaluate.pointing import chance, hits, pointing
from tests.unit.scintilab.evaluate.cohorts import cohort

CELLS = (8, 8)
"""Eight rows; columns 0 to 3 show the anterior view, 4 to 7 the posterior one."""


def spot(row: int, col: int) -> np.ndarray:
    """Return a mask of 64 x 64 pixels with one pixel of lesion in a cell."""
    mask = np.zeros((1, 64, 64), bool)
    mask[0, row * 8 + 5, col * 8 + 2] = True
    return mask


def hottest(row: int, col: int, size: int = 8) -> np.ndarray:
    """Return a map whose hottest element is this."""
    evidence = np.random.default_rng(0).random((1, size, size))
    evidence[0, row, col] = 2
    return evidence


@pytest.mark.parametrize(
    ("row", "col", "hit"),
    [(3, 2, True), (4, 3, True), (2, 1, True), (5, 2, False), (3, 0, False)],
)
def test_one_cell_away_is_a_hit_and_two_are_not(row: int, col: int, hit: bool) -> None:
    """The lesion in cell (3, 2) is hit by its cell and the eight around it."""
    assert hits(hottest(row, col), spot(3, 2), CELLS) == [hit]


def test_views_are_no_neighbours() -> None:
    """The last column of the anterior view lies beside the first of the posterior one only on the canvas."""
    assert hits(hottest(3, 3), spot(3, 3), CELLS) == [True]
    assert hits(hottest(3, 4), spot(3, 3), CELLS) == [False]


def test_brightest_pixel_plays_by_the_same_cells() -> None:
    """A map as fine as the canvas is judged by the cell that holds its hottest pixel."""
    assert hits(hottest(4 * 8 + 7, 3 * 8 + 7, 64), spot(3, 2), CELLS) == [True]
    assert hits(hottest(5 * 8, 3 * 8, 64), spot(3, 2), CELLS) == [False]


def test_empty_map_points_nowhere() -> None:
    """A map without any evidence is a miss, even where its first cell holds a lesion."""
    assert hits(np.zeros((1, 8, 8)), spot(0, 0), CELLS) == [False]


def test_blind_picks_hit_as_often_as_cells_are_near() -> None:
    """One lesion away from every edge makes nine of 64 cells hits."""
    assert chance(spot(3, 1), CELLS) == pytest.approx([9 / 64])


def test_mask_that_does_not_divide_into_cells_stops() -> None:
    """Cells must hold whole pixels."""
    with pytest.raises(ValueError, match="do not divide"):
        hits(hottest(0, 0), np.zeros((1, 60, 64), bool), CELLS)


def test_only_scans_that_were_asked_count() -> None:
    """Healthy scans, without a lesion to point at, change neither rate nor number."""
    drawn = draw(cohort(), resamples=50)
    truth, site = drawn.scans.truth, drawn.scans.site
    found = pointing(drawn, np.where(truth, site != "C", np.nan))
    assert found.n == {name: int((truth & (site == name)).sum()) for name in "ABC"}
    assert [estimate.value for estimate in found.sites.values()] == [1, 1, 0]
    assert 0 < found.sites["C"].high < 0.1
    scans = {name: found.n[name] for name in "BC"}
    assert found.mean.value == pytest.approx(scans["B"] / sum(scans.values()))
