"""What an operator sees: a real Prometheus scrapes every process of the line while a study and a batch go through."""

import json
import math
import re
from collections.abc import Callable, Iterator

import pytest
from pydicom import Dataset

from k8s.monitoring.preview import DASHBOARDS
from k8s.monitoring.vocabulary import LABELS, everything
from tests.monitored import Monitored, monitored
from tests.pacs import Pacs
from tests.prometheus import PROGRAM, Labels, Prometheus

PROMETHEUS_OWN = re.compile(r"up|scrape_\w+|ALERTS(_FOR_STATE)?|\w+:.*")
"""What it adds by itself, and what recording rules make: only they have colons in their names."""
ADDED_LABELS = {"__name__", "job", "instance", "process", "le"}
UID_LIKE = re.compile(r"\b\d+(\.\d+){4,}")
SCANS = 8
PANELS = [panel for path in sorted(DASHBOARDS.glob("*.json")) for panel in json.loads(path.read_text())["panels"]]
QUERIES = sorted({target["expr"] for panel in PANELS for target in panel.get("targets", ())})

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def line(pacs: Pacs, tmp_path_factory: pytest.TempPathFactory, peer: Callable[[str], str]) -> Iterator[Monitored]:
    """An installation that Prometheus has scraped before anything went through it."""
    with monitored(tmp_path_factory.mktemp("monitored"), pacs, peer(PROGRAM)) as line:
        yield line


@pytest.fixture(scope="module")
def prometheus(line: Monitored) -> Prometheus:
    """The Prometheus beside it."""
    return line.prometheus


@pytest.fixture(scope="module")
def study(line: Monitored) -> Dataset:
    """The second of two scans that came back beside two batches and two scans of the probe, each seen by Prometheus
    before the next."""
    for number in (1, 2):
        with line.batch(SCANS):
            scan = line.send_a_study()
        line.has_seen(f'scintiflow_keeper_results_due_total{{destination="pacs",outcome="in_time"}} == {number}')
        line.has_seen(f"sum(scintiflow_synthesizer_scans_total) == {number * SCANS}")
        line.has_seen(f"sum(scintiflow_classifier_batch_rows_sum) >= {2 * number}")
        line.has_seen(f'scintiflow_probe_rounds_total{{outcome="returned"}} >= {number}')
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


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_of_a_dashboard_finds_something(prometheus: Prometheus, study: Dataset, query: str) -> None:
    """After studies and batches no panel is empty; what GPUs show is a stand-in driver's, and says that it is asked."""
    found = prometheus.value(query.replace("$__rate_interval", "5m"))
    assert any(math.isfinite(float(one["value"][1])) for one in found), found


def test_nothing_fires_while_all_is_well(prometheus: Prometheus, study: Dataset) -> None:
    """The shipped rules are silent about an installation that works."""
    assert prometheus.value('ALERTS{alertstate="firing"}') == []


def _is_ours(series: Labels) -> bool:
    return series["__name__"].startswith("scintiflow_")
