"""What the augmentation study promises."""

from pathlib import Path

import numpy as np
import pytest

from scintiflow.errors import Refused
from scintilab.studies.augmentation import Augmentation, Groups, Plan, augmentation, wanted
from scintilab.studies.gain import MEAN
from scintilab.studies.origin import origin
from tests.unit.scintilab.evaluate import patients
from tests.unit.scintilab.studies.painter import Painter, labels

GENERATOR = Painter()
PLAN = Plan(sizes=(8, 12), seeds=2, multiple=1, steps=6)
COHORTS = {name: patients.cohort("A", count, seed=3) for name, count in {"all": 90}.items()}


def some(first: int, last: int) -> patients.Cohort:
    """Return patients of site A by number."""
    everybody = COHORTS["all"]
    return everybody.part((everybody.truth.patient >= first) & (everybody.truth.patient < last))


GROUPS = Groups(
    generator=some(0, 30),
    learners=some(30, 60),
    validate=some(60, 70),
    judges={"A": some(70, 90), "B": patients.cohort("B", 16), "C": patients.cohort("C", 16)},
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where finished trainings are."""
    return tmp_path_factory.mktemp("work")


def studied(work: Path, groups: Groups = GROUPS) -> Augmentation:
    """Run the study, for one question."""
    return augmentation(
        GENERATOR, groups, origin(GENERATOR, 1), work, plan=PLAN, questions=("metastasis",), resamples=50
    )


@pytest.fixture(scope="module")
def found(work: Path) -> Augmentation:
    """Everything that it says."""
    return studied(work)


def test_every_arm_is_judged_at_every_site(found: Augmentation) -> None:
    """Each size has five arms, each arm three sites and their external mean, and all but real alone have a gain."""
    assert found.data == "simulated patients"
    assert found.published == {"metastasis": "+33 (10) %"}
    assert list(found.gains["metastasis"]) == ["8", "12"]
    for arms in found.gains["metastasis"].values():
        assert list(arms) == ["real", "classic", "synthetic", "shuffled", "matched"]
        for arm, lines in arms.items():
            assert list(lines) == ["A", "B", "C", MEAN]
            for line in lines.values():
                assert line.auc.low <= line.auc.value <= line.auc.high
                assert (line.apart is None) is (arm == "real")


def test_finished_study_is_not_run_again(found: Augmentation, work: Path) -> None:
    """A second run trains nothing and says the same."""
    before = {file: file.stat().st_mtime_ns for file in work.rglob("*.npy")}
    assert studied(work) == found
    assert {file: file.stat().st_mtime_ns for file in work.rglob("*.npy")} == before


def test_patient_in_two_roles_is_an_error(tmp_path: Path) -> None:
    """Whoever the generator has learnt from may not be learnt from again, chosen with, or judge."""
    shared = Groups(GROUPS.generator, some(25, 55), GROUPS.validate, GROUPS.judges)
    with pytest.raises(Refused, match="5 patients are in both generator and learners"):
        studied(tmp_path, shared)
    judged = Groups(GROUPS.generator, GROUPS.learners, GROUPS.validate, {**GROUPS.judges, "A": some(65, 90)})
    with pytest.raises(Refused, match="both validate and judges of site A"):
        studied(tmp_path, judged)


def test_half_of_the_synthetic_scans_are_sick() -> None:
    """All else is as in somebody of the same answer: nobody healthy has a load."""
    asked = labels(60, 1, sick=0.2)
    found = wanted(asked, "metastasis", 50, seed=1)
    assert found.metastatic.sum() == 25
    assert np.array_equal(found.load > 0, found.metastatic)
    assert set(found.load) <= set(asked.load)
