"""Poisson counts from tables, against the distribution itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scintiflow.synthesizer.poisson import BRIGHT, COLUMNS, STEPS, poisson, tables

PIXELS = 1 << 18


def stream(seed: int) -> np.random.Generator:
    """Return a stream as an item has it."""
    return np.random.Generator(np.random.Philox(seed))


def test_each_table_is_the_distribution_of_its_step() -> None:
    """Drawn from a table, every count is as likely as Poisson says, to within what 32 bits can say."""
    entries = tables().reshape(BRIGHT * STEPS, COLUMNS)
    own = (entries >> np.uint32(6)) / 2.0**26
    alias = (entries & np.uint32(COLUMNS - 1)).astype(int)
    found = own / COLUMNS
    for step in range(BRIGHT * STEPS):
        np.add.at(found[step], alias[step], (1 - own[step]) / COLUMNS)
    rates = np.arange(BRIGHT * STEPS) / STEPS
    wanted = stats.poisson.pmf(np.arange(COLUMNS), rates[:, None])
    assert np.abs(found - wanted).max() <= COLUMNS * 2.0**-32


@pytest.mark.parametrize("rate", [0.01, 1 / STEPS, 0.04, 0.99, 3.3, 11.7, BRIGHT - 0.001, BRIGHT, 40.5])
def test_the_counts_of_a_rate_are_poisson(rate: float) -> None:
    """On a step, between two, faint or bright: a chi-square test finds no other distribution."""
    counts = poisson(np.full(PIXELS, rate, np.float32), stream(1))
    values = np.arange(counts.max() + 2)
    wanted = PIXELS * stats.poisson.pmf(values, np.float32(rate))
    wanted[-1] = PIXELS - wanted[:-1].sum()
    found = np.bincount(counts, minlength=len(values))
    usual = wanted >= 5
    wanted, found = np.append(wanted[usual], wanted[~usual].sum()), np.append(found[usual], found[~usual].sum())
    assert stats.chisquare(found, wanted).pvalue > 1e-4


def test_every_pixel_has_its_own_rate() -> None:
    """In a picture of many rates, faint and bright side by side, the mean of many draws is the picture."""
    expected = np.random.default_rng(0).gamma(0.3, 12, (40, 50)).astype(np.float32)
    drawn = np.mean([poisson(expected, stream(seed)) for seed in range(400)], axis=0)
    apart = (drawn - expected) / np.sqrt(np.maximum(expected, 0.01) / 400)
    assert np.abs(apart).max() < 6
    assert apart.std() == pytest.approx(1, abs=0.1)


def test_neighbours_say_nothing_about_each_other() -> None:
    """The counts of two neighbours are not correlated, whether one word of the stream serves both or not."""
    counts = poisson(np.full(PIXELS, 0.7, np.float32), stream(2)).astype(float)
    for lag in (1, 2, 3):
        assert abs(np.corrcoef(counts[:-lag], counts[lag:])[0, 1]) < 5 / np.sqrt(PIXELS)


@given(st.integers(0, 2**32), st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=40))
def test_the_same_stream_draws_the_same_counts(seed: int, rates: list[float]) -> None:
    """The counts follow from rates and stream alone; where nothing is expected, nothing is counted."""
    expected = np.array(rates, np.float32)
    before = expected.copy()
    counts = poisson(expected, stream(seed))
    assert counts.dtype == np.uint16
    assert np.array_equal(counts, poisson(expected, stream(seed)))
    assert np.array_equal(expected, before)
    assert not counts[expected == 0].any()
