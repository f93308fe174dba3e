"""What gains over real scans alone promise."""

import numpy as np
import pytest

from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.drawn import Drawn, draw
from scintilab.studies.gain import MEAN, Gain, gains, holm, together
from tests.unit.scintilab.evaluate.cohorts import cohort

RNG = np.random.default_rng(10)
SEEDS = 4


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Three sites, A, B and C."""
    return draw(cohort(each=150), resamples=300)


def scores(drawn: Drawn, apart: float) -> list[np.ndarray]:
    """Return what trainings say that tell sick from healthy so well."""
    truth = drawn.scans.truth
    return [apart * truth + RNG.normal(size=len(truth)) for _ in range(SEEDS)]


def test_gain_is_the_mean_difference_of_areas(drawn: Drawn) -> None:
    """At each site it is the mean over seeds of one AUC minus the other, and percent is of the lower one."""
    real, better = scores(drawn, 0.8), scores(drawn, 1.6)
    found = gains(drawn, real, better)
    here = drawn.scans.site == "B"
    truth = drawn.scans.truth[here]
    alone, with_it = (np.mean([area_under_curve(truth, score[here]) for score in arm]) for arm in (real, better))
    line = found["B"]
    assert line.auc.value == pytest.approx(with_it)
    assert line.apart is not None
    assert line.percent is not None
    assert line.apart.value == pytest.approx(with_it - alone)
    assert line.percent.value == pytest.approx(100 * (with_it / alone - 1))
    assert line.apart.low > 0
    assert line.p is not None
    assert line.p < 0.01


def test_mean_is_over_external_sites_by_their_scans(drawn: Drawn) -> None:
    """The site that arms have learnt from is not in it."""
    found = gains(drawn, scores(drawn, 0.8), scores(drawn, 1.6))
    count = {site: (drawn.scans.site == site).sum() for site in "BC"}
    wanted = sum(count[site] * found[site].auc.value for site in "BC") / sum(count.values())
    assert found[MEAN].auc.value == pytest.approx(wanted)


def test_arms_alike_gain_nothing(drawn: Drawn) -> None:
    """Two arms that tell as well have an interval about nothing, and real scans alone have no gain at all."""
    found = gains(drawn, scores(drawn, 1.0), scores(drawn, 1.0))[MEAN]
    assert found.apart is not None
    assert found.apart.low < 0 < found.apart.high
    alone = gains(drawn, scores(drawn, 1.0), None)
    assert all(line.apart is None and line.p is None for line in alone.values())


def test_same_trainings_gain_exactly_nothing(drawn: Drawn) -> None:
    """Draws are paired: an arm against itself has an interval of no width."""
    same = scores(drawn, 1.0)
    line = gains(drawn, same, same)["A"]
    assert line.apart is not None
    assert (line.apart.low, line.apart.value, line.apart.high) == (0, 0, 0)


def test_seeds_widen_the_interval(drawn: Drawn) -> None:
    """Trainings that differ much make the gain less sure than trainings that are alike."""
    real = scores(drawn, 1.0)
    steady = [score + 0.8 * drawn.scans.truth for score in real]
    moody = [score + apart * drawn.scans.truth for score, apart in zip(real, (0, 0.4, 1.2, 1.6), strict=True)]
    widths = []
    for arm in (steady, moody):
        apart = gains(drawn, real, arm)[MEAN].apart
        assert apart is not None
        widths.append(apart.high - apart.low)
    assert widths[1] > 1.5 * widths[0]


def test_holm_is_holms_rule() -> None:
    """The smallest counts as often as there are, the next once less; none gets below one before it, nor above 1."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_lines_of_one_arm_hold_together(drawn: Drawn) -> None:
    """Sites and sizes of an arm share one rule, so that p-values only grow."""
    lines = {size: gains(drawn, scores(drawn, 1.0), scores(drawn, 1.3)) for size in (25, 100)}
    shown = together(lines)
    for size, there in lines.items():
        for site, line in there.items():
            adjusted: Gain = shown[size][site]
            assert line.p is not None
            assert adjusted.p is not None
            assert adjusted.p >= line.p
            assert adjusted.apart == line.apart
