"""What looking for the nearest records promises."""

import numpy as np
import pytest

from scintilab.studies.records import distance_attack, inauthentic, membership, nearest_ratio, rate

RNG = np.random.default_rng(9)
TRAINING, HELD_OUT, OTHERS = RNG.normal(size=(3, 200, 5))
COPIES = TRAINING[RNG.integers(200, size=200)] + 0.05 * RNG.normal(size=(200, 5))


def test_strangers_are_as_near_to_both() -> None:
    """For patients who have nothing to do with either group the ratio's interval includes 1."""
    found = nearest_ratio(OTHERS, TRAINING, HELD_OUT, resamples=200).estimate()
    assert found.low < 1 < found.high


def test_copies_are_nearer_to_training() -> None:
    """For copies it is far below 1."""
    assert nearest_ratio(COPIES, TRAINING, HELD_OUT, resamples=200).estimate().high < 0.5


def test_interval_includes_1_as_often_as_it_says() -> None:
    """Over 40 draws of three groups of one kind, nearly all intervals include 1."""
    chance = np.random.default_rng(0)
    kept = 0
    for _ in range(40):
        found = nearest_ratio(*chance.normal(size=(3, 80, 4)), resamples=100).estimate()
        kept += found.low <= 1 <= found.high
    assert kept >= 35


def test_groups_of_different_size_are_an_error() -> None:
    """Among more records the nearest is nearer: such a ratio would accuse the larger group."""
    with pytest.raises(ValueError, match="as many"):
        nearest_ratio(OTHERS, TRAINING, HELD_OUT[:100], resamples=10)


def test_inauthentic_is_what_lies_closer_than_any_training_scan() -> None:
    """It equals plain loops; all copies are, and few of others."""
    own = [
        min(np.linalg.norm(one - other) for k, other in enumerate(TRAINING) if k != i) for i, one in enumerate(TRAINING)
    ]
    wanted = []
    for scan in OTHERS:
        apart = np.linalg.norm(TRAINING - scan, axis=1)
        wanted.append(apart.min() < own[apart.argmin()])
    assert inauthentic(OTHERS, TRAINING, resamples=10).value == pytest.approx(np.mean(wanted))
    assert inauthentic(COPIES, TRAINING, resamples=10).value > 0.95


def test_members_are_told_by_copies_alone() -> None:
    """From copies somebody tells who was learnt from; from strangers' scans nobody does."""
    member = np.arange(400) < 200
    for scans, told in ((COPIES, True), (OTHERS, False)):
        area, found = membership(member, distance_attack(TRAINING, HELD_OUT, scans), resamples=200)
        assert (area.low > 0.7) is told
        assert (found.value > 0.2) is told
        if not told:
            assert area.low < 0.5 < area.high


def test_share_found_allows_so_many_false_alarms() -> None:
    """At 1 % false alarms, members that score above all but two of 200 others count, and no more."""
    score = np.concatenate([np.r_[np.full(50, 9.0), np.full(150, -9.0)], np.r_[[10.0, 10.0], np.zeros(198)]])
    _, found = membership(np.arange(400) < 200, score, resamples=10)
    assert found.value == pytest.approx(0.25)


def test_rate_is_a_share() -> None:
    """With an interval that includes it."""
    found = rate(np.arange(100) < 30, resamples=200).estimate()
    assert found.value == pytest.approx(0.3)
    assert found.low < 0.3 < found.high
