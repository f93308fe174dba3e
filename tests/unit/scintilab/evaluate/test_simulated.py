"""What judging a model on simulated patients promises."""

import json
from pathlib import Path

import onnx
import pytest

from scintiflow.inference.manifest import load
from scintilab.evaluate.answers import Reader, open_reader
from scintilab.evaluate.evaluation import Evaluation
from scintilab.evaluate.provenance import frozen_priors
from scintilab.evaluate.simulated import judge, pixels
from scintilab.phantom.cohort import Cohort
from tests.graphs import beside_graph, model_folder
from tests.unit.scintilab.evaluate.patients import changed, cohort

BRIGHT = 1.0
"""About the mean of a healthy scan; above it the test's model calls a scan positive."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that calls bright scans positive."""
    return model_folder(tmp_path_factory.mktemp("models"), "metastasis", graph=beside_graph(bias=-BRIGHT))


@pytest.fixture(scope="module")
def reader(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The engine that its manifest names."""
    return open_reader(load(folder), tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def train() -> Cohort:
    """What baselines learn from."""
    return cohort("A", 80, seed=1)


@pytest.fixture(scope="module")
def sites() -> list[Cohort]:
    """Two sites; at the second one all scans are brighter."""
    return [cohort("A", 60), cohort("B", 60, brightness=1.3)]


@pytest.fixture(scope="module")
def judged(reader: Reader, train: Cohort, sites: list[Cohort], tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Metastasis, with one network of another seed."""
    work = tmp_path_factory.mktemp("work")
    onnx.save(beside_graph(bias=-BRIGHT - 0.05), work / "other.onnx")
    return judge("metastasis", reader, train, sites, work, reruns=[work / "other.onnx"], resamples=100)[0]


def test_evaluation_belongs_to_weights_and_priors(judged: Evaluation, folder: Path, tmp_path: Path) -> None:
    """evaluation.json names digest and engine of the model that read, and version and digest of the frozen priors."""
    judged.write(tmp_path / "evaluation.json")
    told = json.loads((tmp_path / "evaluation.json").read_text())["provenance"]
    manifest, priors = load(folder), frozen_priors()
    assert (told["model"], told["digest"]) == ("metastasis", manifest.digest)
    assert told["engine"].startswith("openvino ")
    assert told["precision"] in ("bf16", "f32")
    assert told["priors"] == {"version": priors.version, "sha256": priors.sha256}


def test_everything_that_is_asked_for_stands_in_it(judged: Evaluation) -> None:
    """Strata, baselines, pointing, outcomes, the null cohort and the other training seed are there for each site."""
    assert list(judged.sites) == ["A", "B"]
    assert judged.made_on == "A"
    for site in judged.sites.values():
        assert {"metastases", "extent", "million counts", "BMI", "tracer", "scanner"} == site.strata.keys()
        assert "superscan" in site.strata["extent"]
        assert site.training_seeds is not None
        assert site.training_seeds.seeds == 2
    assert judged.baselines.keys() == {"lesion locations", "hot spot locations", "hot spots", "acquisition"}
    assert judged.pointing_game.keys() == {"map", "brightest pixel", "random weights", "blind"}
    assert judged.survival is not None
    assert judged.null_survival is not None
    assert judged.survival.deaths != judged.null_survival.deaths


def test_frozen_threshold_shows_a_site_effect(judged: Evaluation) -> None:
    """At a site where all scans are brighter, the model tells sick from healthy as well, and calls too many sick."""
    a, b = judged.sites["A"], judged.sites["B"]
    assert a.auc.value > 0.9
    assert b.auc.value > 0.9
    assert b.tnr.value < a.tnr.value - 0.3


def test_baselines_say_what_they_know(judged: Evaluation) -> None:
    """Locations give these lesions away, spots in the picture nearly, and how it was acquired tells nothing."""
    area = {name: baseline.sites["A"].auc for name, baseline in judged.baselines.items()}
    assert area["lesion locations"].value > 0.9
    assert area["hot spots"].value > 0.8
    assert area["acquisition"].low < 0.5 < area["acquisition"].high


def test_map_points_better_than_chance(judged: Evaluation) -> None:
    """Where metastases are brightest, a map of means and the brightest pixel find them; blind picks do not."""
    rate = {name: game.sites["A"].value for name, game in judged.pointing_game.items()}
    assert rate["map"] > 0.8
    assert rate["brightest pixel"] > 0.8
    assert rate["blind"] < 0.3
    assert judged.pointing_game["map"].n["A"] == judged.sites["A"].confusion["true_positive"]


def test_cardiac_stands_beside_the_heart_ratio(
    reader: Reader, train: Cohort, sites: list[Cohort], tmp_path: Path
) -> None:
    """The cardiac question has predictive values at four prevalences, grades as strata and no pointing game."""
    found, _ = judge("cardiac", reader, train, sites, tmp_path, resamples=50)
    assert found.baselines["heart ratio"].sites["B"].auc.value > 0.9
    assert list(found.sites["A"].ppv) == ["0.001", "0.007", "0.011", "0.03"]
    assert found.sites["A"].strata["Perugini"].keys() == {"0", "1", "2", "3"}
    assert found.pointing_game == {}


def test_second_run_writes_the_same(reader: Reader, train: Cohort, sites: list[Cohort], tmp_path: Path) -> None:
    """From the same patients and weights every number comes out again."""
    documents = [judge("metastasis", reader, train, sites, tmp_path, resamples=50)[0].document() for _ in range(2)]
    assert documents[0] == documents[1]


def test_site_without_a_true_positive_has_no_game(reader: Reader, train: Cohort, tmp_path: Path) -> None:
    """Where nobody is called positive rightly, nobody points, and the rest is measured."""
    dark = cohort("C", 30, brightness=0.1, uptake=0.1)
    found, _ = judge("metastasis", reader, train, [dark], tmp_path, resamples=20)
    assert found.pointing_game["map"].n == {}
    assert found.sites["C"].n == len(dark)


def test_digest_follows_the_pixels() -> None:
    """One other pixel is another cohort; other columns of truth are not."""
    first = cohort("A", 4)
    other = cohort("A", 4)
    other.canvas[0, 0, 0, 0] += 1
    assert pixels(first).digest != pixels(other).digest
    assert pixels(first).digest == pixels(changed(first, bmi=first.truth.bmi + 1)).digest
