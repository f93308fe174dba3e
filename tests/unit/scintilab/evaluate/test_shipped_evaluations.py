"""What the evaluation in a shipped model's folder promises."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scintiflow.inference.manifest import load
from scintilab.evaluate.card import BEGIN, revised
from scintilab.evaluate.provenance import frozen_priors

MODELS = Path(__file__).parents[4] / "models"
EVALUATIONS = sorted(MODELS.glob("*/evaluation.json"))
OTHERS = ["B", "C", "D", "E"]
pytestmark = pytest.mark.skipif(not EVALUATIONS, reason="no shipped model has been judged yet")


TOLD_THE_TRUTH = {
    (
        "metastasis",
        "lesion locations",
    ): "0.863 (0.849 to 0.878) against 0.869 (0.855 to 0.882), which is told where every "
    "focus lies, also those that no picture shows: the card says what bounds both",
}
UNMOVED = {"metastasis": "0.854 to 0.878 at B to E, 0.859 at A: all intervals overlap; only cardiac shows one"}


def judged(model: str) -> dict[str, Any]:
    """Return what the evaluation of a shipped model says."""
    document: dict[str, Any] = json.loads((MODELS / model / "evaluation.json").read_text())
    return document


def known_not_to_hold(what: str | tuple[str, str], misses: Mapping[Any, str]) -> object:
    """Return a case; where the shipped models are known to miss the claim, holding it would be news."""
    marks = [pytest.mark.xfail(strict=True, reason=misses[what])] if what in misses else []
    return pytest.param(*((what,) if isinstance(what, str) else what), marks=marks)


BASELINES = [
    known_not_to_hold((path.parent.name, name), TOLD_THE_TRUTH)
    for path in EVALUATIONS
    for name in judged(path.parent.name)["baselines"]
]


@pytest.fixture(params=EVALUATIONS, ids=lambda path: path.parent.name)
def path(request: pytest.FixtureRequest) -> Path:
    """Each shipped evaluation."""
    found: Path = request.param
    return found


@pytest.fixture
def told(path: Path) -> dict[str, Any]:
    """What it says."""
    return judged(path.parent.name)


def test_it_belongs_to_the_shipped_weights_and_the_frozen_priors(path: Path, told: dict[str, Any]) -> None:
    """Digest, version and threshold are the manifest's, and the priors are those in the phantom's file now."""
    manifest, priors, said = load(path.parent), frozen_priors(), told["provenance"]
    assert (said["model"], said["version"], said["digest"]) == (manifest.name, manifest.version, manifest.digest)
    assert told["threshold"] == pytest.approx(manifest.threshold)
    assert said["priors"] == {"version": priors.version, "sha256": priors.sha256}


def test_it_says_of_whom_and_has_every_site(told: dict[str, Any]) -> None:
    """Five sites of simulated patients, made on A, each with its measures and intervals from 2,000 resamples."""
    assert told["data"] == "simulated patients"
    assert told["resamples"] == 2000
    assert list(told["sites"]) == ["A", *OTHERS]
    assert told["mean"]["sites"] == OTHERS
    for site in told["sites"].values():
        for measure in ("auc", "tpr", "tnr", "fpr", "fnr", "f1"):
            assert site[measure]["low"] <= site[measure]["value"] <= site[measure]["high"]


@pytest.mark.parametrize(("model", "name"), BASELINES)
def test_model_beats_what_needs_none(model: str, name: str) -> None:
    """Over B to E the model's AUC is above that of every baseline, with intervals apart."""
    told = judged(model)
    assert told["mean"]["auc"]["low"] > told["baselines"][name]["mean_auc"]["high"]


@pytest.mark.parametrize("model", [known_not_to_hold(path.parent.name, UNMOVED) for path in EVALUATIONS])
def test_a_site_effect_is_visible(model: str) -> None:
    """At some site the model does worse than on the one it was made on: in AUC, sensitivity or specificity, surely."""
    told = judged(model)
    made_on = told["sites"]["A"]
    others = [told["sites"][site] for site in OTHERS]
    assert any(
        site[measure]["high"] < made_on[measure]["low"] for site in others for measure in ("auc", "tpr", "tnr")
    ), "all intervals overlap"


def test_outcomes_follow_the_answer_only_where_disease_kills(told: dict[str, Any]) -> None:
    """Called positive goes with dying, and in the null cohort, whose hazard ignores disease, it does not."""
    assert told["logrank_p"] < 0.05
    assert told["null_survival"]["logrank_p"] > 0.05


def test_map_points_better_than_chance(told: dict[str, Any]) -> None:
    """Where the pointing game was played, the model's map wins against random weights and blind picks."""
    game = told["pointing_game"]
    for name in ("random weights", "blind") if game else ():
        assert game["map"]["mean"]["low"] > game[name]["mean"]["high"]


def test_card_shows_these_numbers(path: Path, told: dict[str, Any]) -> None:
    """CARD.md has the tables of this evaluation between its marks."""
    card = (path.parent / "CARD.md").read_text()
    area = told["mean"]["auc"]
    revised(card, "")
    assert f"{area['value']:.3f} ({area['low']:.3f} to {area['high']:.3f})" in card.partition(BEGIN)[2]
