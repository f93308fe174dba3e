"""A classifier that fails in every way but one, as the router sees it: nothing wrong is kept, and studies wait."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from redis import Redis

from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.decode import Decoded, decode
from scintiflow.errors import Unavailable
from scintiflow.records import read_findings, read_record
from scintiflow.router.ask import classifier_at
from scintiflow.router.classify import find, ready_models
from scintiflow.store import Store
from scintiflow.stream import Stream
from tests.classifier import FACTS, Classifier, Lie
from tests.fault_proxy import FaultProxy
from tests.readings import a_router, stored
from tests.stack import EXAMPLES, copies
from tests.waiting import wait_for
from tests.working import working


@pytest.fixture
def classifier() -> Iterator[Classifier]:
    """A classifier that may be told to fail."""
    with Classifier() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty DATA."""
    return Store(tmp_path)


@dataclass(frozen=True)
class Scan:
    """A scan decoded once for all questions about it."""

    ready: StudyReady
    decoded: Decoded

    def asked(self, url: str, timeout: float = 10) -> list[float]:
        """Ask the classifier at `url` as the router does; return the probabilities."""
        with classifier_at(url, timeout) as client:
            models = ready_models(client, lambda name: True)
            return [find(client, model, self.ready, self.decoded, shadow=False).probability for model in models]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """An example scan, ready to be asked about."""
    store = Store(tmp_path_factory.mktemp("data"))
    ready = StudyReady.FromString(stored(store, dcmread(EXAMPLES[0])).body)
    return Scan(ready, decode(ready.views, store.study(ready.study) / "objects"))


def no_finding_until_it_heals(scan: Scan, classifier: Classifier) -> None:
    """A question that fails is a reason to wait, however often, and then the answer is the true one."""
    for _ in range(2):
        with pytest.raises(Unavailable):
            scan.asked(classifier.url)
    classifier.heal()
    assert scan.asked(classifier.url) == [0.75]


@pytest.mark.parametrize("retry_after", [None, "0", "3600", "Wed, 21 Oct 2065 07:28:00 GMT", "soon"])
@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_classifier_is_asked_again_whatever_it_says_about_when(
    scan: Scan, classifier: Classifier, status: int, retry_after: str | None
) -> None:
    """The back-off is ours: no Retry-After, however long or odd, changes what becomes of the study."""
    classifier.status, classifier.retry_after = status, retry_after
    no_finding_until_it_heals(scan, classifier)


@pytest.mark.parametrize("status", [204, 302, 401, 403, 405, 408, 500, 501, 502, 504, 520])
def test_no_study_is_to_blame_for_what_a_gateway_says(scan: Scan, classifier: Classifier, status: int) -> None:
    """Only a status about the question itself counts against a study."""
    classifier.status = status
    no_finding_until_it_heals(scan, classifier)


def values(at: int, value: float, kind: str = "<f4") -> Lie:
    """Answer with one value of the tensors replaced: 0 is the probability, 1 the logit, 2 the map's first."""

    def lie(head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        changed = np.frombuffer(body, "<f4").copy()
        changed[at : at + 1] = np.array([value], kind).view("<f4")
        return head, changed.tobytes()

    return lie


def heads(place: str, value: Any) -> Lie:
    """Answer with one item of the header replaced; `place` is a path such as `outputs.0.shape`."""

    def lie(head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        *path, last = [int(part) if part.isdecimal() else part for part in place.split(".")]
        item: Any = head
        for part in path:
            item = item[part]
        item[last] = value
        return head, body

    return lie


def integer_probability(head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """The bytes of the integer 1, and the truth about their type: as a float they would be 1e-45, a negative."""
    head["outputs"][0]["datatype"] = "INT32"
    return values(0, 1, "<i4")(head, body)


LIES: dict[str, Lie] = {
    "NaN as probability": values(0, float("nan")),
    "infinity as probability": values(0, float("inf")),
    "a probability below 0": values(0, -0.01),
    "a probability above 1": values(0, 1.01),
    "NaN in the map": values(2, float("nan")),
    "infinity in the map": values(7, float("-inf")),
    "a negative map": values(2, -1.0),
    "an integer probability": integer_probability,
    "float64": heads("outputs.0.datatype", "FP64"),
    "two probabilities": heads("outputs.0.shape", [1, 2]),
    "a probability of no shape": heads("outputs.0.shape", []),
    "a map of two axes": heads("outputs.2.shape", [4, 8]),
    "a map of odd width": heads("outputs.2.shape", [1, 1, 32, 1]),
    "a map of no rows": heads("outputs.2.shape", [1, 1, 0, 8]),
    "a shape that is no shape": heads("outputs.2.shape", "4x8"),
    "a shape left open": heads("outputs.2.shape", [1, 1, -1, 8]),
    "a size below zero": heads("outputs.0.parameters.binary_data_size", -4),
    "a size beyond the end": heads("outputs.2.parameters.binary_data_size", 1 << 40),
    "a size too small": heads("outputs.2.parameters.binary_data_size", 4),
    "no outputs": heads("outputs", []),
    "outputs of nothing": heads("outputs", None),
    "a cut body": lambda head, body: (head, body[:-4]),
    "a body with a tail": lambda head, body: (head, body + b"more"),
    "no body": lambda head, body: (head, b""),
    "another model's answer": heads("model_name", "cardiac"),
    "a model replaced between two questions": heads("parameters.digest", "cd" * 32),
    "no engine": heads("parameters.engine", None),
    "seventeen MiB": lambda head, body: (head | {"more": "x" * (17 << 20)}, body),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_lies_is_no_finding(scan: Scan, classifier: Classifier, lie: str) -> None:
    """NaN, wrong shapes, wrong types and wrong sizes are never stored or sent, and never held against the study."""
    classifier.lie = LIES[lie]
    no_finding_until_it_heals(scan, classifier)


@pytest.mark.parametrize("length", ["0", "7", "1000000", "-1", "x", "\u0663"])
def test_an_answer_that_lies_about_its_header_is_no_finding(scan: Scan, classifier: Classifier, length: str) -> None:
    """Where the header ends is checked, not believed."""
    classifier.header_length = length
    no_finding_until_it_heals(scan, classifier)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("index", []),
        ("index", {"models": 1}),
        ("index", [{"name": "metastasis"}]),
        ("index", [{"name": "metastasis", "state": "LOADING"}]),
        ("index", [{"name": "../../../metastasis", "state": "READY"}]),
        ("facts", {}),
        ("facts", None),
        ("facts", FACTS | {"threshold": float("nan")}),
        ("facts", FACTS | {"threshold": 0}),
        ("facts", FACTS | {"requires": ["lateral"]}),
        ("facts", FACTS | {"digest": "none"}),
        ("facts", FACTS | {"question": "metastases?"}),
    ],
)
def test_a_classifier_that_does_not_know_itself_is_asked_again(
    scan: Scan, classifier: Classifier, what: str, value: Any
) -> None:
    """No models for a while, or nonsense about them, holds studies up and parks none."""
    setattr(classifier, what, value)
    no_finding_until_it_heals(scan, classifier)


@pytest.mark.parametrize(
    "faults",
    [
        {"refuse": True},
        {"hang_at": 0},
        {"hang_at": 500},
        {"hang_at": 600_000, "direction": "asked"},
        {"rate": 1.0},
        {"rate": 300.0},
        {"cut_at": 700},
        {"reset_at": 700},
        {"reset_at": 400_000, "direction": "asked"},
    ],
    ids=str,
)
def test_a_line_to_the_classifier_that_fails_is_left_in_time(
    scan: Scan, classifier: Classifier, faults: dict[str, Any]
) -> None:
    """Nobody there, silence, a byte a second or a torn answer costs one time-out at most."""
    with FaultProxy(classifier.server_port) as line:
        line.become(**faults)
        url, began = f"http://127.0.0.1:{line.port}", time.monotonic()
        with pytest.raises(Unavailable):
            scan.asked(url, timeout=0.7)
        assert time.monotonic() - began < 10
        line.become()
        assert scan.asked(url) == [0.75]


def test_replicas_behind_one_name_share_the_questions(
    scan: Scan, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three addresses that a name has, those that answer are asked in turn by chance, and a dead one is passed over;
    every question goes on to be for the name."""
    at = {"classifier": ["127.0.0.1", "127.0.0.2", "127.0.0.3"]}
    monkeypatch.setattr(socket, "getaddrinfo", partial(_resolved, at, socket.getaddrinfo))
    url = f"http://classifier:{classifier.server_port}"
    with Classifier("127.0.0.2", classifier.server_port) as other:
        assert [scan.asked(url) for _ in range(30)] == [[0.75]] * 30
    assert classifier.asked + other.asked == 30
    assert min(classifier.asked, other.asked) > 0
    assert classifier.hosts | other.hosts == {url.removeprefix("http://")}
    classifier.close()
    with pytest.raises(Unavailable):
        scan.asked(url)


def _resolved(at: dict[str, list[str]], ask: Callable[..., Any], host: str, *rest: Any, **more: Any) -> list[Any]:
    """Answer as the C library does, for a name as it would answer for each of its addresses."""
    return [found for each in at.get(host, [host]) for found in ask(each, *rest, **more)]


def test_an_answer_that_drips_delays_its_own_study_only(store: Store, redis: Redis, classifier: Classifier) -> None:
    """As many studies as there are slots hang on a model that never ends its answer; the others are read meanwhile."""
    deliveries = [stored(store, scan) for scan in copies(EXAMPLES, 5)]
    folders = [StudyReady.FromString(delivery.body).study for delivery in deliveries]
    stuck: set[int] = set()

    def drips(question: bytes) -> bool:
        if len(stuck) < 2:
            stuck.add(hash(question))
        return hash(question) in stuck

    classifier.drips = drips
    router, queue = a_router(store, redis, classifier.url, timeout=1.0), Stream(redis, "ready")
    for delivery in deliveries:
        queue.publish(delivery.key, delivery.body)
    read = partial(_read, store, folders)
    with working(queue, router.read, router.park, slots=2):
        wait_for(lambda: read() == 3, seconds=30)
        classifier.heal()
        wait_for(lambda: read() == 5, seconds=30)


def test_trouble_for_longer_than_any_failure_is_borne_parks_nothing(
    store: Store, redis: Redis, classifier: Classifier
) -> None:
    """NaN more often than would park a poisonous study is neither kept nor sent; then it is read, unaided."""
    delivery = stored(store, dcmread(EXAMPLES[0]))
    folder = StudyReady.FromString(delivery.body).study
    router, queue = a_router(store, redis, classifier.url), Stream(redis, "ready")
    classifier.probability = float("nan")
    queue.publish(delivery.key, delivery.body)
    with working(queue, router.read, router.park):
        wait_for(lambda: classifier.asked > 5, seconds=30)
        assert read_record(store, folder).outcome.state == "reading"
        assert not list(store.study(folder).glob("findings/*")) + list(store.study(folder).glob("results/*"))
        classifier.heal()
        wait_for(lambda: read_record(store, folder).outcome.state == "delivering", seconds=10)
    assert [finding.probability for finding in read_findings(store, folder, 1)] == [0.75]


def _read(store: Store, folders: list[str]) -> int:
    return sum(read_record(store, folder).outcome.state == "delivering" for folder in folders)
