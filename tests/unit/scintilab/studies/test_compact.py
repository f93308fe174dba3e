"""What the small network promises."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scintilab.evaluate.discrimination import area_under_curve
from scintilab.studies.coarse import coarse
from scintilab.studies.compact import HIDDEN, Chosen, Network, classifier, features, fit, scores, varied
from tests.unit.scintilab.studies.painter import painted

LEARNT, CHOSEN, JUDGED = (painted(count, seed) for seed, count in enumerate((64, 32, 64)))
STEPS = 60


@pytest.fixture(scope="module")
def network() -> Network:
    """Trained to find spots."""
    chosen = Chosen(coarse(CHOSEN), CHOSEN.labels.metastatic)
    return classifier(coarse(LEARNT), LEARNT.labels.metastatic, chosen, seed=1, steps=STEPS)


def test_what_shows_is_learnt(network: Network) -> None:
    """Spots are found in scans of others."""
    assert area_under_curve(JUDGED.labels.metastatic, scores(network, coarse(JUDGED))) > 0.85


def test_one_seed_gives_the_same_network(network: Network) -> None:
    """Training again says the same of everybody, to the last bit."""
    chosen = Chosen(coarse(CHOSEN), CHOSEN.labels.metastatic)
    again = classifier(coarse(LEARNT), LEARNT.labels.metastatic, chosen, seed=1, steps=STEPS)
    assert np.array_equal(scores(network, coarse(JUDGED)), scores(again, coarse(JUDGED)))


def test_brightness_says_nothing(network: Network) -> None:
    """A scan of twice the counts gets the same answer, for each view is scaled by itself."""
    scans = coarse(replace(JUDGED, noise=None))
    assert scores(network, 2 * scans) == pytest.approx(scores(network, scans), abs=0.05)


def test_answer_does_not_depend_on_neighbours(network: Network) -> None:
    """A scan alone has the features that it has among others."""
    scans = coarse(JUDGED)
    assert features(network, scans).shape == (64, HIDDEN)
    assert features(network, scans[5:6])[0] == pytest.approx(features(network, scans)[5], abs=1e-2)


def test_best_moment_is_kept() -> None:
    """Of the moments at which a training is looked at, the network ends as it was at the one worth most."""
    worths, moments = iter((0.2, 0.6, 0.9, 0.7, 0.9, 0.1)), []

    def worth(network: Network) -> float:
        moments.append(scores(network, coarse(CHOSEN)))
        return next(worths)

    rows = [np.arange(start, start + 8) for start in range(0, 48, 8)]
    truth = torch.from_numpy(LEARNT.labels.metastatic).float()
    network = fit(
        coarse(LEARNT),
        rows,
        lambda told, some: ((told[:, 0] - truth[some]) ** 2).mean(),
        outputs=1,
        seed=1,
        classic=False,
        worth=worth,
    )
    assert len(moments) == 6
    assert np.array_equal(scores(network, coarse(CHOSEN)), moments[2])
    assert not np.array_equal(moments[2], moments[4])


def test_variety_moves_and_shortens() -> None:
    """No photon is added, what is moved is moved as a whole, and the scans that are learnt from stay as they are."""
    scans = coarse(JUDGED)
    before = scans.copy()
    found = varied(scans, np.random.default_rng(0))
    assert np.array_equal(scans, before)
    assert (found.sum((1, 2, 3)) <= scans.sum((1, 2, 3)) * (1 + 1e-5)).all()
    shortened = found.sum((1, 2, 3)) < 0.999 * scans.sum((1, 2, 3))
    assert 0.3 < shortened.mean() < 0.7
    for row in np.flatnonzero(~shortened)[:5]:
        assert sorted(found[row].ravel()) == pytest.approx(sorted(scans[row].ravel()))


def test_training_is_small_enough() -> None:
    """The network has few weights: hundreds of trainings must be affordable."""
    assert sum(weights.numel() for weights in Network(1).parameters()) < 250_000
    assert torch.get_num_threads() >= 1
