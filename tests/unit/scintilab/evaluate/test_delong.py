"""What DeLong's test promises."""

import numpy as np
import pytest

from scintilab.evaluate.delong import delong
from scintilab.evaluate.discrimination import area_under_curve


def paired(chance: np.random.Generator, scans: int, better: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a truth and two scores that share half of their noise; the first is `better` by so many deviations."""
    truth = chance.random(scans) < 0.4
    shared = chance.normal(0, 0.7, scans)
    first, second = (shared + chance.normal(0, 0.7, scans) for _ in range(2))
    return truth, first + (1 + better) * truth, second + truth


def test_error_is_the_one_of_all_pairs() -> None:
    """By midranks the difference and its error are those of the definition, placement by placement, ties included."""
    truth, *scores = paired(np.random.default_rng(5), 90, 0.3)
    first, second = (np.round(score, 1) for score in scores)
    wins = [
        (score[truth][:, None] > score[~truth]) + (score[truth][:, None] == score[~truth]) / 2
        for score in (first, second)
    ]
    apart = wins[0] - wins[1]
    error = np.sqrt(apart.mean(1).var(ddof=1) / truth.sum() + apart.mean(0).var(ddof=1) / (~truth).sum())
    found = delong(truth, first, second)
    areas = area_under_curve(truth, first), area_under_curve(truth, second)
    assert found.difference.value == pytest.approx(areas[0] - areas[1])
    assert found.difference.high - found.difference.value == pytest.approx(1.959964 * error)


def test_equals_are_seldom_told_apart() -> None:
    """Two scores that are equally good differ at p < 0.05 in about 5 % of 400 studies, a better one in most."""
    chance = np.random.default_rng(6)
    alarms, found = (
        np.mean([delong(*paired(chance, 150, better)).p < 0.05 for _ in range(400)]) for better in (0.0, 0.8)
    )
    assert 0.02 <= alarms <= 0.08
    assert found >= 0.9


def test_score_beside_itself_is_no_better() -> None:
    """A score does not differ from itself: difference 0, p 1."""
    truth, score, _ = paired(np.random.default_rng(7), 50, 0)
    assert delong(truth, score, score).p == 1
