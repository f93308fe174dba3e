"""What an operator sees: a real Prometheus scrapes every process of the line while a study and a batch go through."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from pydicom import Dataset

from k8s.monitoring.vocabulary import LABELS, everything
from tests.graphs import generator_folder, skeleton_and_heart
from tests.nvml import stand_in_driver
from tests.pacs import Pacs
from tests.prometheus import PROGRAM, Labels, Prometheus, running_prometheus
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.synthesis import ask, has_made
from tests.waiting import wait_for

PROMETHEUS_OWN = re.compile(r"up|scrape_\w+|ALERTS(_FOR_STATE)?|\w+:.*")
"""What it adds by itself, and what recording rules make: only they have colons in their names."""
ADDED_LABELS = {"__name__", "job", "instance", "process", "le"}
UID_LIKE = re.compile(r"\b\d+(\.\d+){4,}")
SCANS = 8

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def stack(pacs: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation with two classifiers and a generator; its GPU is a stand-in driver's."""
    folder = tmp_path_factory.mktemp("monitored")
    models = skeleton_and_heart(folder / "models")
    generator_folder(models)
    settings = stand_in_driver(folder / "driver") | {"SCINTIFLOW_SYNTHESIZER_MINIMUM_FREE_BYTES": "0"}
    with running_stack(folder, CONFIGURATION.format(port=pacs.port), models=models, **settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def prometheus(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory, peer: Callable[[str], str]
) -> Iterator[Prometheus]:
    """A Prometheus that has scraped every process before anything went through it."""
    with running_prometheus(peer(PROGRAM), tmp_path_factory.mktemp("prometheus"), stack.ports) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def study(stack: Stack, prometheus: Prometheus) -> Dataset:
    """A scan that came back, and a batch that was made, both seen by Prometheus."""
    scan = copies(EXAMPLES, 1)[0]
    assert send(stack.dicom_port, [scan]) == [0x0000]
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.ports['synthesizer']}", timeout=60) as synthesizer:
        batch = ask(synthesizer, count=SCANS, seed=1)
        wait_for(lambda: has_made(synthesizer, batch, SCANS), 60)
    assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
    judged = 'scintiflow_keeper_results_due_total{destination="pacs",outcome="in_time"} == 1'
    wait_for(lambda: prometheus.value(judged), 60)
    wait_for(lambda: prometheus.value(f"sum(scintiflow_synthesizer_scans_total) == {SCANS}"))
    return scan


def test_every_series_is_documented(prometheus: Prometheus, study: Dataset) -> None:
    """Whatever any process exports has its line in METRICS.md."""
    known = {name for family in everything() for name in family.series}
    found = {series["__name__"] for series in prometheus.series()}
    assert {name for name in found - known if not PROMETHEUS_OWN.fullmatch(name)} == set()


def test_nothing_is_documented_that_no_process_says(prometheus: Prometheus, study: Dataset) -> None:
    """What METRICS.md lists for a study that is delivered is there; the rest is named here, with what it waits for."""
    after_trouble = {
        "scintiflow_classifier_engine_nodes": "ONNX Runtime",
        "scintiflow_keeper_expired_total": "retention",
        "scintiflow_receiver_turned_away_total": "a stranger",
    }
    documented = {family.series[-1] for family in everything()}
    found = {series["__name__"] for series in prometheus.series()}
    assert documented - found <= set(after_trouble)


def test_no_label_says_who(prometheus: Prometheus, study: Dataset) -> None:
    """Each value is one that its label may say, none looks like a UID, and none is of the patient who was sent."""
    said = [pair for series in prometheus.series() if _is_ours(series) for pair in series.items()]
    ours = {(label, value) for label, value in said if label not in ADDED_LABELS}
    assert {pair for pair in ours if not LABELS[pair[0]].allows(pair[1])} == set()
    words = "\n".join(value for _, value in ours)
    assert not UID_LIKE.search(words)
    for identity in (study.StudyInstanceUID, study.PatientID, str(study.PatientName), study.AccessionNumber):
        assert str(identity) not in words


def test_answers_are_counted_by_tracer(prometheus: Prometheus, study: Dataset) -> None:
    """Drift shows in the share of positive answers of a tracer, apart from those on synthetic scans."""
    counted = prometheus.value("sum by (model, tracer, synthetic) (scintiflow_router_answers_total)")
    assert sorted(tuple(sorted(one["metric"].items())) for one in counted) == [
        (("model", model), ("synthetic", "yes"), ("tracer", "bone")) for model in ("heart", "skeleton")
    ]


def _is_ours(series: Labels) -> bool:
    return series["__name__"].startswith("scintiflow_")
