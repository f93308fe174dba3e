"""What comparing labels with scans promises."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import linregress, spearmanr

from scintilab.evaluate.answers import Answers, Pixels, Reader
from scintilab.studies.coarse import coarse
from scintilab.studies.fidelity import agreement, fidelity, told
from scintilab.studies.observer import observer
from tests.unit.scintilab.evaluate import patients
from tests.unit.scintilab.studies.painter import Painter, labels, painted

RNG = np.random.default_rng(7)
REQUESTED = RNG.gamma(2, 1, 120)
FOUND = 0.7 * REQUESTED + RNG.normal(0, 0.4, 120)


def test_agreement_is_rank_slope_and_r2() -> None:
    """They equal scipy's, lie within their intervals, and are nothing for columns that have nothing to do."""
    found = agreement(REQUESTED, FOUND, resamples=200)
    line = linregress(REQUESTED, FOUND)
    assert found.n == 120
    assert found.rank.value == pytest.approx(spearmanr(REQUESTED, FOUND).statistic)
    assert found.slope.value == pytest.approx(line.slope)
    assert found.r2.value == pytest.approx(line.rvalue**2)
    for estimate in (found.rank, found.slope, found.r2):
        assert estimate.low < estimate.value < estimate.high
    nothing = agreement(REQUESTED, RNG.normal(size=120), resamples=200)
    assert nothing.rank.low < 0 < nothing.rank.high


def test_same_value_everywhere_agrees_with_nothing() -> None:
    """Without anything to compare there is no number, and no error."""
    assert np.isnan(agreement(np.ones(20), FOUND[:20], resamples=20).rank.value)


def test_scans_that_show_what_was_asked_are_told_from_those_that_do_not(tmp_path: Path) -> None:
    """Measured load and heart go with the request where the painter paints it, and not where it is blind."""
    network = observer(patients.cohort("B", 60, seed=1, uptake=30), tmp_path / "observer.pt", steps=80)
    asked = labels(60, 3)
    honest, blind = (
        fidelity(network, coarse(painted(60, 3, painter, asked=asked)), asked, resamples=100)
        for painter in (Painter(), Painter(blind=True))
    )
    assert honest.load_of_all.rank.low > 0.3
    assert honest.grade.rank.low > 0.3
    assert honest.ratios["3"] > honest.ratios["0"]
    for one in (blind.load_of_all, blind.grade):
        assert not one.rank.low > 0.15  # where everything measured is the same, there is no number


@dataclass(frozen=True)
class Bright:
    """In place of a served classifier: the brightest pixel."""

    def ask(self, pixels: Pixels, what: str) -> Answers:
        canvas, present = pixels.read(np.arange(pixels.count))
        brightest: NDArray[np.float32] = canvas.max((1, 2, 3))
        return Answers(brightest / brightest.max(), canvas[:, 0, :1, :1], present)


def test_classifier_is_asked_about_one_disease_at_a_time() -> None:
    """Its areas are of scans without the other disease; a blind painter's scans all look alike to it."""
    reader, real = cast(Reader, Bright()), painted(60, 4)
    same = told("metastasis", reader, painted(60, 5), real, resamples=100)
    assert same.synthetic.value > 0.9
    assert same.apart.low <= 0 <= same.apart.high
    blind = told("metastasis", reader, painted(60, 5, Painter(blind=True)), real, resamples=100)
    assert blind.apart.high < -0.2
