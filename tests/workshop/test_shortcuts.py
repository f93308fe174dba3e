"""The phantom leaks no label: what tells sick from healthy is the disease."""

import pytest

from scintilab.evaluate.hot_spots import hot_spots
from scintilab.evaluate.question import QUESTIONS
from scintilab.phantom.cohort import Cohort, cohort
from scintilab.shortcuts.__main__ import Pair
from scintilab.shortcuts.suspect import suspects, twins_of
from scintilab.shortcuts.verdict import Verdict, verdicts
from tests.unit.scintilab.evaluate import patients

PATIENTS = range(500)
SEED = 7
RESAMPLES = 500
SCORES = {
    "hot spots": lambda scans: hot_spots(scans.canvas),
    "heart ratio": lambda scans: scans.truth.heart_ratio,
    "foci": lambda scans: scans.truth.foci.sum(1).astype(float),
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Patients of site A, and their twins without disease."""
    cache = tmp_path_factory.mktemp("patients")
    scans = cohort("A", SEED, PATIENTS, cache)
    return scans, twins_of(scans, cache)


def judged(scans: Cohort, same: Cohort) -> list[Verdict]:
    """Try everything, for both questions."""
    return [
        verdict
        for question in QUESTIONS
        for verdict in verdicts(
            question,
            {"A": (scans, suspects(question, scans, same, SCORES, resamples=RESAMPLES))},
            tables=len(QUESTIONS),
        )
    ]


def test_phantom_has_no_shortcut(pair: Pair) -> None:
    """Neither how a patient was scanned, nor pictures without the disease, nor twins tell who is sick."""
    found = judged(*pair)
    assert [f"{verdict.question}, {verdict.suspect}: {verdict}" for verdict in found if verdict.shortcut] == []
    assert all(verdict.areas for verdict in found)


def test_shortcut_planted_in_the_phantom_is_found(pair: Pair) -> None:
    """A corner one count brighter in the sick, and twins that keep their disease, are found among the same patients."""
    scans, same = pair
    corner = patients.bright_corner(scans, scans.metastatic), patients.bright_corner(same, scans.metastatic)
    accused = {(verdict.question, verdict.suspect) for verdict in judged(*corner) if verdict.shortcut}
    assert {("metastasis", "picture without lesions"), ("metastasis", "picture of the twin")} <= accused
    sick = {(verdict.question, verdict.suspect) for verdict in judged(scans, scans) if verdict.shortcut}
    assert {("metastasis", "foci of the twin"), ("cardiac", "heart ratio of the twin")} <= sick
