"""What the arms of the augmentation study promise."""

import numpy as np
import pytest

from scintiflow.errors import Refused
from scintilab.studies.cell import FEWEST, Arm, Cell, Side, Table, drawn, learnt_from
from scintilab.studies.coarse import SHAPE

MULTIPLE = 2


def side(count: int, first: int, sick: float = 0.3) -> Side:
    """Return scans whose every pixel is their number."""
    numbers = np.arange(first, first + count, dtype=np.float16)
    truth = np.random.default_rng(first).random(count) < sick
    return Side(np.broadcast_to(numbers[:, None, None, None], (count, 2, *SHAPE)), truth)


TABLE = Table(learners=side(120, 0), synthetic=side(80, 1000, 0.5), validate=side(10, 500), judges=side(10, 700))


def of(arm: Arm, seed: int = 1, size: int = 30) -> tuple[list[int], np.ndarray]:
    """Return numbers and labels of the scans that an arm learns from."""
    found = learnt_from(Cell("metastasis", size, arm, seed), TABLE, MULTIPLE)
    return [int(number) for number in found.canvas[:, 0, 0, 0]], found.truth


def test_arms_of_a_seed_share_their_real_scans() -> None:
    """All begin with the same thirty; classic adds none, synthetic ones are the generator's, matched ones are real."""
    real, _ = of("real")
    assert len(set(real)) == 30
    assert of("classic")[0] == real
    for arm in ("synthetic", "shuffled", "matched"):
        numbers, _ = of(arm)
        assert numbers[:30] == real
        assert len(set(numbers)) == 30 * (1 + MULTIPLE)
        assert all((number >= 1000) is (arm != "matched") for number in numbers[30:])
    assert of("real", seed=2)[0] != real


def test_labels_stay_with_their_scans_but_for_the_shuffled() -> None:
    """Shuffled labels are those of the same synthetic scans in another order; real labels stay everywhere."""
    numbers, labels = of("synthetic")
    assert np.array_equal(labels[30:], TABLE.synthetic.truth[np.array(numbers[30:]) - 1000])
    same, shuffled = of("shuffled")
    assert same == numbers
    assert shuffled.sum() == labels.sum()
    assert not np.array_equal(shuffled, labels)
    assert np.array_equal(shuffled[:30], labels[:30])


def test_small_sets_are_as_sick_as_everybody() -> None:
    """A small set has the share of sick scans that all have, and a few of each at least."""
    truth = np.arange(200) < 60
    rows = drawn(truth, 100, 50, np.random.default_rng(1))
    assert len(set(rows)) == 100
    assert truth[rows[:50]].sum() == 15
    rare = np.arange(200) < 5
    assert rare[drawn(rare, 20, 20, np.random.default_rng(1))].sum() == FEWEST


def test_too_few_scans_are_refused() -> None:
    """More real or synthetic scans than there are cannot be learnt from."""
    with pytest.raises(Refused, match="learners are needed"):
        of("real", size=60)
    few = TABLE._replace(synthetic=side(20, 1000))
    with pytest.raises(Refused, match="60 synthetic scans are needed"):
        learnt_from(Cell("cardiac", 30, "synthetic", 1), few, MULTIPLE)
