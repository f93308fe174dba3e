"""What plain classifiers promise."""

import numpy as np
import pytest

from scintilab.evaluate.bootstrap import resampled_weights
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.learner import LEARNERS, held_back, learn

RNG = np.random.default_rng(3)
N = 300
PATIENT = np.arange(N) // 2
TRUTH = RNG.random(N // 2)[PATIENT] < 0.4
NOISE = RNG.normal(size=(N, 3))


@pytest.mark.parametrize("name", LEARNERS)
def test_patient_is_never_judged_by_what_was_learnt_from_him(name: str) -> None:
    """Half of the patients are judged, with all their scans; a fingerprint of each patient does not tell them."""
    fingerprint = RNG.normal(size=(N // 2, 5))[PATIENT]
    rest, score = held_back(name, fingerprint, TRUTH, PATIENT)
    assert len(rest) == pytest.approx(N / 2, abs=10)
    assert not set(PATIENT[rest]) & set(np.delete(PATIENT, rest))
    assert 0.3 < area_under_curve(TRUTH[rest], score) < 0.7


@pytest.mark.parametrize("name", LEARNERS)
def test_what_can_be_told_is_told(name: str) -> None:
    """One telling column among noise is found, and in a picture of more columns than scans what many columns tell."""
    telling = (TRUTH * 3 + RNG.normal(size=N))[:, None]
    table, picture = (
        np.hstack([NOISE, telling]),
        np.hstack([RNG.normal(size=(N, 200)), np.repeat(telling, 200, axis=1)]),
    )
    for features in (table, picture):
        rest, score = held_back(name, features, TRUTH, PATIENT)
        assert area_under_curve(TRUTH[rest], score) > 0.9


def test_one_column_of_a_picture_is_found() -> None:
    """What one of two thousand columns tells, the trees find."""
    picture = RNG.normal(size=(N, 2000))
    picture[:, 1234] += 4 * TRUTH
    rest, score = held_back("boosting", picture, TRUTH, PATIENT)
    assert area_under_curve(TRUTH[rest], score) > 0.9


def test_better_learner_is_taken() -> None:
    """Where the sick are at both ends of a scale, which no straight line tells, the score still tells them."""
    column = np.where(TRUTH, RNG.choice([-3, 3], N), 0)[:, None] + RNG.normal(size=(N, 1))
    score = learn(column, TRUTH, PATIENT)
    assert area_under_curve(TRUTH, score(column)) > 0.9


@pytest.mark.parametrize("name", LEARNERS)
def test_interval_of_nothing_includes_chance_as_often_as_it_says(name: str) -> None:
    """Over 60 tables of noise the AUC held back strays from 0.50 by one deviation of its resamples, no more."""
    strays = []
    for seed in range(60):
        chance = np.random.default_rng(seed)
        rest, score = held_back(name, chance.normal(size=(N, 2)), TRUTH, PATIENT)
        weights = resampled_weights(PATIENT[rest], TRUTH[rest], resamples=100, seed=seed)
        spread = np.std(area_under_curve(TRUTH[rest], score, weights))
        strays.append((area_under_curve(TRUTH[rest], score) - 0.5) / spread)
    assert 0.7 < np.std(strays) < 1.3
    assert abs(np.mean(strays)) < 0.4
