"""What the evaluation in a shipped model's folder promises."""

import json
from pathlib import Path
from typing import Any

import pytest

from scintiflow.inference.manifest import load
from scintilab.evaluate.card import BEGIN, revised
from scintilab.evaluate.provenance import frozen_priors

EVALUATIONS = sorted((Path(__file__).parents[4] / "models").glob("*/evaluation.json"))
OTHERS = ["B", "C", "D", "E"]
pytestmark = pytest.mark.skipif(not EVALUATIONS, reason="no shipped model has been judged yet")


@pytest.fixture(params=EVALUATIONS, ids=lambda path: path.parent.name)
def path(request: pytest.FixtureRequest) -> Path:
    """Each shipped evaluation."""
    found: Path = request.param
    return found


@pytest.fixture
def told(path: Path) -> dict[str, Any]:
    """What it says."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document


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


def test_model_beats_what_needs_none(told: dict[str, Any]) -> None:
    """Over B to E the model's AUC is above that of every baseline, with intervals apart."""
    assert told["baselines"]
    for name, baseline in told["baselines"].items():
        assert told["mean"]["auc"]["low"] > baseline["mean_auc"]["high"], name


def test_a_site_effect_is_visible(told: dict[str, Any]) -> None:
    """At some site the model does worse than on the one it was made on: in AUC, sensitivity or specificity, surely."""
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
