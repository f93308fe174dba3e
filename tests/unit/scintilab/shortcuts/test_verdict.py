"""What looking for shortcuts promises: what is not there is not found, and what is planted is."""

import io
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from scintilab.archive import Question
from scintilab.evaluate.bootstrap import Resampled
from scintilab.evaluate.hot_spots import hot_spots
from scintilab.evaluate.question import Rival
from scintilab.phantom.cohort import Cohort
from scintilab.shortcuts.__main__ import TRAIN, Pair, judged, table
from scintilab.shortcuts.suspect import suspects
from scintilab.shortcuts.verdict import MEAN, Verdict, together, verdicts
from tests.unit.scintilab.evaluate import patients

PATIENTS = 110
RESAMPLES = 200


def pair(site: str, count: int = PATIENTS, seed: int = 0) -> Pair:
    """A site and its twins; nothing but the disease tells sick from healthy."""
    return patients.cohort(site, count, seed=seed), patients.twin(site, count, seed=seed)


@pytest.fixture(scope="module")
def sites() -> dict[str, Pair]:
    """Two sites."""
    return {name: pair(name) for name in "AB"}


@pytest.fixture(scope="module")
def found(sites: dict[str, Pair]) -> list[Verdict]:
    """Everything that is looked at, for both questions."""
    return judged(pair("A", seed=1), sites, {}, RESAMPLES)


def tried(
    sites: Mapping[str, Pair], *names: str, question: Question = "metastasis", **scores: Rival
) -> dict[tuple[str, str], Verdict]:
    """Return the verdicts on some suspects, by suspect and site."""
    everywhere = {
        site: (
            scans,
            [each for each in suspects(question, scans, same, scores, resamples=RESAMPLES) if each.name in names],
        )
        for site, (scans, same) in sites.items()
    }
    return {(verdict.suspect, verdict.site): verdict for verdict in verdicts(question, everywhere)}


def counted(cohort: Cohort, who: NDArray[np.bool_], times: float) -> Cohort:
    """Return the cohort with more counts in some scans, as the table says; the pictures stay."""
    return patients.changed(cohort, counts=cohort.truth.counts * np.where(who, times, 1))


def test_patients_alike_but_for_their_disease_have_no_shortcut(found: list[Verdict]) -> None:
    """Acquisition, masked pictures and twins tell nothing, for both questions, at each site and over both."""
    assert [str(verdict) for verdict in found if verdict.told] == []
    for question, picture in (("metastasis", "picture without lesions"), ("cardiac", "picture without chest")):
        asked = {(verdict.suspect, verdict.site) for verdict in found if verdict.question == question}
        names = {suspect for suspect, _ in asked}
        assert {"counts", "height", "BMI", "pose", "injection", "tracer", "acquisition", "picture of the twin"} <= names
        assert {picture, "hot spots of the twin"} <= names
        assert {site for _, site in asked} == {TRAIN, "A", "B", MEAN}
    assert {"lesion locations of the twin", "heart ratio of the twin"} <= {verdict.suspect for verdict in found}


def test_more_counts_in_the_sick_are_found(sites: dict[str, Pair]) -> None:
    """A tenth more counts in the sick and in their twins, where patients differ by a tenth, is a shortcut."""
    more = {
        site: (counted(scans, scans.metastatic, 1.1), counted(same, scans.metastatic, 1.1))
        for site, (scans, same) in sites.items()
    }
    verdict = tried(more, "counts", "counts of the twin", "acquisition", "height")
    assert verdict["counts of the twin", MEAN].shortcut
    assert verdict["counts", MEAN].shortcut
    assert str(verdict["counts", MEAN]).startswith("SHORTCUT, not only: what takes up tracer adds counts")
    assert not verdict["height", MEAN].told


def test_counts_of_the_lesions_themselves_are_explained(sites: dict[str, Pair]) -> None:
    """More counts in the sick, and not in their twins, are told, explained by their cause, and no shortcut."""
    more = {site: (counted(scans, scans.metastatic, 1.2), same) for site, (scans, same) in sites.items()}
    verdict = tried(more, "counts", "counts of the twin")["counts", MEAN]
    assert verdict.told
    assert not verdict.shortcut
    assert str(verdict).startswith("explained: what takes up tracer adds counts of its own; without it 0.")


def test_bright_corner_of_the_sick_is_found(sites: dict[str, Pair]) -> None:
    """A corner that is a little brighter in the sick, and in their twins, is a shortcut of every picture."""
    bright = {
        site: (patients.bright_corner(scans, scans.metastatic), patients.bright_corner(same, scans.metastatic))
        for site, (scans, same) in sites.items()
    }
    verdict = tried(bright, "picture without lesions", "picture of the twin", "BMI")
    assert verdict["picture without lesions", MEAN].shortcut
    assert verdict["picture of the twin", MEAN].shortcut
    assert not verdict["BMI", MEAN].told


def test_what_nature_explains_is_tested_again_without(sites: dict[str, Pair]) -> None:
    """Legs that are dark at grade 3 alone are told, explained, and no shortcut; dark at grade 2 they are one."""
    for grade, explained in ((3, True), (2, False)):
        dark = {
            site: (patients.dark_legs(scans, scans.truth.perugini >= grade), same)
            for site, (scans, same) in sites.items()
        }
        verdict = tried(dark, "picture without chest", question="cardiac")["picture without chest", MEAN]
        assert verdict.told
        assert verdict.shortcut is not explained
        assert ("explained: Perugini 3" in str(verdict)) is explained


def test_twins_that_still_look_sick_are_found(sites: dict[str, Pair]) -> None:
    """Had removing the disease left it in the twin, spots and hearts of twins would tell sick from healthy."""
    left = {site: (scans, scans) for site, (scans, _) in sites.items()}
    spots, heart = "spots of the twin", "ratio of the twin"
    assert tried(left, spots, spots=lambda twins: hot_spots(twins.canvas))[spots, MEAN].shortcut
    hearts = tried(left, heart, question="cardiac", ratio=lambda twins: twins.truth.heart_ratio)
    assert hearts[heart, MEAN].shortcut


def test_score_that_calls_the_sick_ones_twins_healthier_is_found(sites: dict[str, Pair]) -> None:
    """Twins must have the normal distribution of scores; one below it tells as well as one above."""
    healthier = {
        site: (scans, patients.changed(same, heart_ratio=np.where(scans.cardiac, 0.9, 1.0)))
        for site, (scans, same) in sites.items()
    }
    heart = "ratio of the twin"
    verdict = tried(healthier, heart, question="cardiac", ratio=lambda twins: twins.truth.heart_ratio)
    assert verdict[heart, MEAN].shortcut


def test_too_few_patients_are_said_and_judged_by_nobody() -> None:
    """A site with few sick patients has no AUC, and the mean over the sites is that of the others."""
    verdict = tried({"A": pair("A"), "B": pair("B", 20)}, "height")
    assert str(verdict["height", "B"]) == "too few patients"
    assert verdict["height", MEAN].areas == verdict["height", "A"].areas


def test_many_intervals_hold_together() -> None:
    """Of 200 tables of 200 sound suspects few accuse anybody, where plain intervals would in nearly each."""
    chance = np.random.default_rng(0)
    samples = 0.03 * chance.standard_normal(2000)
    accused = plainly = 0
    for values in 0.5 + 0.03 * chance.standard_normal((200, 200)):
        highest = Resampled(float(values.max()), values.max() + samples)
        accused += together(highest, 200).low > 0.5
        plainly += highest.estimate().low > 0.5
    assert accused <= 12
    assert plainly > 150


def test_table_has_one_line_a_verdict(found: list[Verdict]) -> None:
    """Every suspect at every site is shown with its interval; a shortcut is written in capitals."""
    screen = Console(width=220, file=io.StringIO())
    guilty = replace(found[0], told=True)
    screen.print(table([guilty, *found[1:]]))
    lines = screen.file.getvalue().splitlines()
    shown = [line for line in lines if line.strip().startswith(("metastasis", "cardiac"))]
    assert len(shown) == len(found)
    assert "SHORTCUT" in shown[0]
    assert sum("includes 0.50" in line for line in shown) == len(found) - 1
