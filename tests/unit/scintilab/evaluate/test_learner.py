"""What plain classifiers promise."""

import numpy as np
import pytest

from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.learner import LEARNERS, held_back, learn

RNG = np.random.default_rng(3)
N = 300
PATIENT = np.arange(N) // 2
TRUTH = RNG.random(N // 2)[PATIENT] < 0.4
NOISE = RNG.normal(size=(N, 3))


@pytest.mark.parametrize("name", LEARNERS)
def test_patient_is_never_judged_by_what_was_learnt_from_him(name: str) -> None:
    """Two scans of one patient, alike and unlike anybody's, are told no better than chance."""
    fingerprint = RNG.normal(size=(N // 2, 5))[PATIENT]
    assert 0.35 < area_under_curve(TRUTH, held_back(name, fingerprint, TRUTH, PATIENT)) < 0.65


@pytest.mark.parametrize("name", LEARNERS)
def test_what_can_be_told_is_told(name: str) -> None:
    """One telling column among noise is found, in a table and in a picture of more columns than scans."""
    telling = (TRUTH * 3 + RNG.normal(size=N))[:, None]
    table, picture = (
        np.hstack([NOISE, telling]),
        np.hstack([RNG.normal(size=(N, 200)), np.repeat(telling, 200, axis=1)]),
    )
    for features in (table, picture):
        assert area_under_curve(TRUTH, held_back(name, features, TRUTH, PATIENT)) > 0.9


def test_better_learner_is_taken() -> None:
    """Where the sick are at both ends of a scale, which no straight line tells, the score still tells them."""
    column = np.where(TRUTH, RNG.choice([-3, 3], N), 0)[:, None] + RNG.normal(size=(N, 1))
    score = learn(column, TRUTH, PATIENT)
    assert area_under_curve(TRUTH, score(column)) > 0.9


def test_nothing_to_learn_from_gives_one_score() -> None:
    """A column that is the same for everybody tells nobody apart."""
    assert area_under_curve(TRUTH, held_back("logistic", np.ones((N, 1)), TRUTH, PATIENT)) == 0.5
