"""What the network that measures promises."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from scintilab.phantom.cohort import Cohort
from scintilab.studies.coarse import coarse
from scintilab.studies.compact import Network, features
from scintilab.studies.observer import measured, observer, random
from scintilab.studies.samples import of_cohort
from tests.unit.scintilab.evaluate import patients

STEPS = 80


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is kept."""
    return tmp_path_factory.mktemp("observer") / "observer.pt"


@pytest.fixture(scope="module")
def learnt() -> Cohort:
    """From whom it learns."""
    return patients.cohort("B", 60, seed=1)


@pytest.fixture(scope="module")
def network(learnt: Cohort, kept: Path) -> Network:
    """Trained a little."""
    return observer(learnt, kept, steps=STEPS)


def test_load_and_heart_of_others_are_measured(network: Network) -> None:
    """Measured load and heart ratio go up with the true ones in patients whom it has not seen."""
    others = patients.cohort("B", 40, seed=2)
    found = measured(network, coarse(of_cohort(others)))
    assert spearmanr(found.load, others.truth.bsi).statistic > 0.6
    assert spearmanr(found.heart_ratio, others.truth.heart_ratio).statistic > 0.6
    assert (found.load >= 0).all()


def test_it_is_trained_once(network: Network, learnt: Cohort, kept: Path) -> None:
    """What is kept is what was trained: it says the same, and more steps are not taken."""
    again = observer(learnt, kept, steps=10 * STEPS)
    scans = coarse(of_cohort(learnt.part(slice(0, 4))))
    assert np.array_equal(features(network, scans), features(again, scans))


def test_random_network_is_always_the_same() -> None:
    """The floor does not move between runs."""
    scans = coarse(of_cohort(patients.cohort("B", 4)))
    assert np.array_equal(features(random(), scans), features(random(), scans))
    assert not np.array_equal(features(random(1), scans), features(random(2), scans))
