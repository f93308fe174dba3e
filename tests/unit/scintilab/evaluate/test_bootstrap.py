"""What the intervals promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from scintilab.evaluate.bootstrap import Resampled, bootstrap, resampled_weights
from scintilab.evaluate.discrimination import area_under_curve, sensitivity


def binormal(chance: np.random.Generator, patients: int, apart: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw patients with two scans each that agree almost: patient, truth, score with AUC norm.cdf(apart / sqrt(2))."""
    sick = chance.random(patients) < 0.5
    patient = np.repeat(np.arange(patients), 2)
    own = chance.normal(0, np.sqrt(0.9), patients)[patient] + chance.normal(0, np.sqrt(0.1), 2 * patients)
    return patient, sick[patient], apart * sick[patient] + own


def test_interval_covers_the_truth() -> None:
    """Of 300 studies with two like scans a patient, about 95 % hold the true AUC; taken as independent, far fewer."""
    chance, true = np.random.default_rng(1), norm.cdf(1 / np.sqrt(2))
    clustered, naive = [], []
    for _ in range(300):
        patient, truth, score = binormal(chance, 60, 1.0)
        for found, whose in ((clustered, patient), (naive, None)):
            interval = bootstrap(area_under_curve, truth, score, patient=whose, resamples=300)
            found.append(interval.low <= true <= interval.high)
    assert 0.90 <= np.mean(clustered) <= 0.98
    assert np.mean(naive) <= 0.88


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_two_like_scans_of_a_patient_are_not_two_patients(seed: int) -> None:
    """Clustered by patient, the interval is wider than if each scan were another patient."""
    patient, truth, score = binormal(np.random.default_rng(seed), 80, 1.0)
    width = [
        estimate.high - estimate.low
        for estimate in (bootstrap(area_under_curve, truth, score, patient=whose) for whose in (patient, None))
    ]
    assert width[0] > 1.1 * width[1]


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(60)))
def test_order_of_rows_changes_nothing(order: list[int]) -> None:
    """The same table sorted otherwise has the same interval, to the last bit."""
    patient, truth, score = binormal(np.random.default_rng(0), 30, 1.0)
    first = bootstrap(area_under_curve, truth, score, patient=patient, resamples=50)
    assert bootstrap(area_under_curve, truth[order], score[order], patient=patient[order], resamples=50) == first


def test_more_draws_only_add_draws() -> None:
    """Draw number k is the same of 20 as of 50, and another seed draws otherwise."""
    patient, truth, _ = binormal(np.random.default_rng(0), 30, 1.0)
    few, many, other = (
        resampled_weights(patient, truth, resamples=resamples, seed=seed)
        for resamples, seed in ((20, (4, 1)), (50, (4, 1)), (20, (4, 2)))
    )
    np.testing.assert_array_equal(few, many[:20])
    assert (few != other).any()


def test_patients_are_drawn_whole_and_within_their_disease() -> None:
    """Each draw counts all scans of a patient alike, and as many sick and healthy patients as there are."""
    patient, truth, _ = binormal(np.random.default_rng(0), 30, 1.0)
    weights = resampled_weights(patient, truth, resamples=40)
    np.testing.assert_array_equal(weights[:, ::2], weights[:, 1::2])
    np.testing.assert_array_equal(weights @ truth, np.full(40, truth.sum()))
    assert (weights.sum(1) == len(truth)).all()


def test_patient_who_fell_ill_counts_among_the_sick() -> None:
    """Where all other patients are healthy, the one with a healthy and a sick scan is in every draw."""
    patient, truth = np.array([1, 1, 2, 3, 4]), np.array([False, True, False, False, False])
    assert (resampled_weights(patient, truth, resamples=30)[:, :2] == 1).all()


def test_never_wrong_is_not_certain() -> None:
    """A sensitivity of 1 among 30 patients may be 0.88 (Clopper and Pearson), where drawing again would say 1."""
    everybody = np.ones(30, bool)
    weights = resampled_weights(np.arange(30), everybody, resamples=50)
    found = Resampled(1.0, sensitivity(everybody, everybody, weights)).rate(patients=30)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 30))
    assert found.complement().high == pytest.approx(1 - 0.025 ** (1 / 30))
