"""Reading, against a server that speaks the classifier's protocol and fails when told to."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from redis import Redis

from scintiflow.contracts.v1.finding_pb2 import Finding
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.dicom.eligibility import CARDIAC_ONLY
from scintiflow.errors import Failed, ScintiflowError, Unavailable
from scintiflow.records import Record, note, read_findings, read_record, result_path
from scintiflow.store import Store
from scintiflow.stream import Delivery, Stream
from tests.classifier import FACTS, Classifier
from tests.readings import PACS, a_router, stored
from tests.stack import EXAMPLES, copies


@pytest.fixture
def classifier() -> Iterator[Classifier]:
    """A classifier that may be told to fail."""
    with Classifier() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty DATA."""
    return Store(tmp_path)


def example() -> Dataset:
    """The first example scan."""
    return dcmread(EXAMPLES[0])


def record_of(store: Store, delivery: Delivery) -> Record:
    """The record of the delivered study."""
    return read_record(store, StudyReady.FromString(delivery.body).study)


def test_a_ready_study_becomes_findings_results_and_work_for_the_sender(
    store: Store, redis: Redis, classifier: Classifier
) -> None:
    """One reading writes a finding, a report and a picture, and queues them once for the destination."""
    delivery = stored(store, example())
    a_router(store, redis, classifier.url).read(delivery)
    record = record_of(store, delivery)
    assert record.outcome.state == "delivering"
    assert [result.kind for result in record.deliveries[0].results] == ["report", "picture"]
    finding = read_findings(store, record.folder, 1)[0]
    assert (finding.probability, finding.positive, finding.engine) == (0.75, True, "test")
    assert "Model evidence: simulated patients." in finding.notes
    assert Stream(redis, "results:pacs").depth().waiting == 1


def test_a_value_of_any_length_takes_no_memory(store: Store, redis: Redis, classifier: Classifier) -> None:
    """A long value of a scan stays on disk also when its results are made, and is not in them."""
    scan, length = example(), 64 << 20
    scan.EncapsulatedDocument = bytes(length)
    delivery = stored(store, scan)
    tracemalloc.start()
    try:
        a_router(store, redis, classifier.url).read(delivery)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert record_of(store, delivery).outcome.state == "delivering"
    assert peak < length


def test_reading_again_changes_nothing(store: Store, redis: Redis, classifier: Classifier) -> None:
    """A study that comes twice, as after a crash, keeps its first finding and its stored bytes."""
    delivery, router = stored(store, example()), a_router(store, redis, classifier.url)
    router.read(delivery)
    record = record_of(store, delivery)
    before = {r.name: result_path(store, record.folder, r.name).read_bytes() for r in record.deliveries[0].results}
    classifier.probability = 0.1
    (store.study(record.folder) / "events.jsonl").write_bytes(
        b"\n".join(line for line in _lines(store, record.folder) if b'"reported"' not in line) + b"\n"
    )
    router.read(delivery)
    after = record_of(store, delivery)
    assert {
        r.name: result_path(store, record.folder, r.name).read_bytes() for r in after.deliveries[0].results
    } == before
    assert read_findings(store, record.folder, 1)[0].probability == 0.75


def test_the_record_knows_the_bytes_of_each_result(store: Store, redis: Redis, classifier: Classifier) -> None:
    """A result is reported with the digest of its file, so that the sender sees what the disk did to it."""
    delivery = stored(store, example())
    a_router(store, redis, classifier.url).read(delivery)
    record = record_of(store, delivery)
    for result in record.deliveries[0].results:
        written = result_path(store, record.folder, result.name).read_bytes()
        assert result.digest == hashlib.sha256(written).hexdigest()


def test_a_ready_study_is_read_while_more_of_it_arrives(store: Store, redis: Redis, classifier: Classifier) -> None:
    """Objects that nobody has decided about yet, a static view behind the pair, do not hold a ready pair up."""
    delivery = stored(store, example())
    late = store.data / "part"
    late.write_bytes(b"a static view")
    folder = StudyReady.FromString(delivery.body).study
    store.put_object(late, folder, hashlib.sha256(b"a static view").hexdigest())
    assert record_of(store, delivery).outcome.state == "receiving"
    a_router(store, redis, classifier.url).read(delivery)
    assert [delivery.revision for delivery in record_of(store, delivery).deliveries] == [1]


def test_a_revision_that_was_replaced_unread_is_left_out(store: Store, redis: Redis, classifier: Classifier) -> None:
    """Of two revisions that wait, only the one that holds is read."""
    first, router = stored(store, example()), a_router(store, redis, classifier.url)
    folder = StudyReady.FromString(first.body).study
    ready = StudyReady.FromString(first.body)
    ready.revision = 2
    note(store, folder, "selected", objects=list(record_of(store, first).objects), ready=ready, revision=2)
    router.read(first)
    assert (classifier.asked, record_of(store, first).outcome.state) == (0, "queued")


def test_a_model_put_in_the_shadow_after_a_crash_sends_nothing(
    store: Store, redis: Redis, classifier: Classifier
) -> None:
    """A finding recorded while its model still reported is not sent once the model is in the shadow."""
    delivery = stored(store, example())
    a_router(store, redis, classifier.url).read(delivery)
    events = store.study(record_of(store, delivery).folder) / "events.jsonl"
    events.write_bytes(b"".join(line for line in events.read_bytes().splitlines(True) if b'"reported"' not in line))
    a_router(store, redis, classifier.url, models={"metastasis": {"mode": "shadow"}}).read(delivery)
    outcome = record_of(store, delivery).outcome
    assert (outcome.state, outcome.reason) == ("read", "Only shadow models answered; nothing is sent.")


def test_a_missing_view_ends_as_incomplete_with_the_sentence(
    store: Store, redis: Redis, classifier: Classifier
) -> None:
    """No model guesses: without the posterior view nothing is asked and nothing is sent."""
    delivery = stored(store, _anterior_only(example()))
    a_router(store, redis, classifier.url).read(delivery)
    outcome = record_of(store, delivery).outcome
    assert (outcome.state, outcome.reason) == ("incomplete", "metastasis not assessed: posterior view missing")
    assert classifier.asked == 0
    assert not (store.study(record_of(store, delivery).folder) / "results").exists()


def test_one_view_is_answered_by_the_model_that_needs_no_other(
    store: Store, redis: Redis, classifier: Classifier
) -> None:
    """Who can answer sends report and picture, and both name the model that could not, with its reason."""
    classifier.serve_cardiac()
    delivery = stored(store, _anterior_only(example()))
    a_router(store, redis, classifier.url).read(delivery)
    record = record_of(store, delivery)
    assert record.outcome.state == "delivering"
    sent = [(result.model, result.kind) for result in record.deliveries[0].results]
    assert sent == [("cardiac", "report"), ("cardiac", "picture")]
    statuses = {finding.model: (finding.status, finding.reason) for finding in read_findings(store, record.folder, 1)}
    assert statuses["metastasis"] == (Finding.STATUS_NOT_ASSESSED, "posterior view missing")
    assert statuses["cardiac"] == (Finding.STATUS_ASSESSED, "")
    assert "metastasis: not assessed: posterior view missing." in _said(store, record, "cardiac")
    assert classifier.asked == 1


def test_two_models_report_apart_on_the_same_scan(store: Store, redis: Redis, classifier: Classifier) -> None:
    """Each model's report and picture are instances of their own, the two of a kind in one series of the study."""
    classifier.serve_cardiac()
    delivery = stored(store, example())
    a_router(store, redis, classifier.url).read(delivery)
    record = record_of(store, delivery)
    made = [dcmread(result_path(store, record.folder, result.name)) for result in record.deliveries[0].results]
    assert [result.Modality for result in made] == ["SR", "OT", "SR", "OT"]
    assert len({result.SOPInstanceUID for result in made}) == 4
    assert len({result.SeriesInstanceUID for result in made}) == 2
    assert len({result.StudyInstanceUID for result in made}) == 1
    assert "Heart" in _meanings(made[0]), "models in order of name"
    assert "Heart" not in _meanings(made[2])


def test_a_pyrophosphate_scan_is_read_by_the_cardiac_model_alone(
    store: Store, redis: Redis, classifier: Classifier
) -> None:
    """The cardiac model answers for it, and its report says why the other one did not."""
    classifier.serve_cardiac()
    delivery = stored(store, _pyrophosphate(example()))
    a_router(store, redis, classifier.url).read(delivery)
    record = record_of(store, delivery)
    assert {result.model for result in record.deliveries[0].results} == {"cardiac"}
    assert "pyrophosphate scans are for cardiac models only" in _said(store, record, "cardiac")
    assert CARDIAC_ONLY in _said(store, record, "cardiac")


def test_a_pyrophosphate_scan_is_not_read_for_metastases(store: Store, redis: Redis, classifier: Classifier) -> None:
    """PYP shows the heart, not the skeleton: only a cardiac model may answer."""
    delivery = stored(store, _pyrophosphate(example()))
    a_router(store, redis, classifier.url).read(delivery)
    outcome = record_of(store, delivery).outcome
    assert (outcome.state, "cardiac models only" in outcome.reason) == ("incomplete", True)
    assert classifier.asked == 0


def test_without_a_destination_a_study_ends_as_read(store: Store, redis: Redis, classifier: Classifier) -> None:
    """Findings are recorded although nobody takes the results."""
    delivery = stored(store, example())
    a_router(store, redis, classifier.url, destinations=[PACS | {"synthetic": "no"}]).read(delivery)
    outcome = record_of(store, delivery).outcome
    assert (outcome.state, outcome.reason) == ("read", "No destination takes its results.")


def test_a_shadow_model_answers_and_sends_nothing(store: Store, redis: Redis, classifier: Classifier) -> None:
    """A model in the shadow is run and recorded only."""
    delivery = stored(store, example())
    a_router(store, redis, classifier.url, models={"metastasis": {"mode": "shadow"}}).read(delivery)
    assert record_of(store, delivery).outcome.reason == "Only shadow models answered; nothing is sent."


def test_a_model_that_is_off_is_not_asked(store: Store, redis: Redis, classifier: Classifier) -> None:
    """With every model off a study ends as incomplete, and says where to switch one on."""
    delivery = stored(store, example())
    a_router(store, redis, classifier.url, models={"metastasis": {"mode": "off"}}).read(delivery)
    assert record_of(store, delivery).outcome.reason == "No model is enabled in scintiflow.toml."
    assert classifier.asked == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 503}, Unavailable),
        ({"status": 429}, Unavailable),
        ({"status": 500}, Unavailable),
        ({"status": 404}, Unavailable),
        ({"probability": float("nan")}, Unavailable),
        ({"probability": 1.5}, Unavailable),
        ({"map_shape": (1, 4)}, Unavailable),
        ({"status": 400}, Failed),
    ],
)
def test_a_classifier_in_trouble_is_asked_again(
    store: Store, redis: Redis, classifier: Classifier, fault: dict[str, Any], error: type[ScintiflowError]
) -> None:
    """Overload, nonsense and refusals write no finding; the study can be read when the classifier is well."""
    delivery, router = stored(store, example()), a_router(store, redis, classifier.url)
    for name, value in fault.items():
        setattr(classifier, name, value)
    for _ in range(2):
        with pytest.raises(error):
            router.read(delivery)
    record = record_of(store, delivery)
    assert [event["event"] for event in record.events].count("reading") == 1, "a retry is no news"
    assert (record.outcome.state, read_findings(store, record.folder, 1)) == ("reading", ())
    classifier.heal()
    router.read(delivery)
    assert record_of(store, delivery).outcome.state == "delivering"


def test_a_classifier_without_the_outputs_is_asked_again(store: Store, redis: Redis, classifier: Classifier) -> None:
    """An answer that lacks a tensor is the classifier's trouble, however often, and parks no study."""
    delivery = stored(store, example())
    classifier.output_names = ("probability", "logit", "heat")
    with pytest.raises(Unavailable, match="without probability or map"):
        a_router(store, redis, classifier.url).read(delivery)


def test_a_classifier_that_is_away_is_waited_for(store: Store, redis: Redis, classifier: Classifier) -> None:
    """Nobody listening is Unavailable, not a failure of the study."""
    delivery = stored(store, example())
    classifier.close()
    with pytest.raises(Unavailable, match="does not answer"):
        a_router(store, redis, classifier.url).read(delivery)


def test_many_studies_ask_once_what_is_served(store: Store, redis: Redis, classifier: Classifier) -> None:
    """Studies one after another cost one question each: what the models are is known from the first."""
    router = a_router(store, redis, classifier.url)
    for scan in copies(EXAMPLES, 4):
        router.read(stored(store, scan))
    assert (classifier.asked, classifier.described) == (4, 1)


def test_a_model_that_was_replaced_is_asked_about_anew(store: Store, redis: Redis, classifier: Classifier) -> None:
    """An answer of another digest than the one that is known is not taken, and the next attempt knows better."""
    router = a_router(store, redis, classifier.url)
    first, second = (stored(store, scan) for scan in copies(EXAMPLES, 2))
    router.read(first)
    classifier.facts = FACTS | {"version": "0.2.0", "digest": "ef" * 32}
    with pytest.raises(Unavailable, match="was replaced"):
        router.read(second)
    router.read(second)
    folder = StudyReady.FromString(second.body).study
    assert [finding.model_version for finding in read_findings(store, folder, 1)] == ["0.2.0"]


def test_zero_counts_are_declined(store: Store, redis: Redis, classifier: Classifier) -> None:
    """A scan without counts is declined with the reason, and nothing is asked."""
    scan = example()
    scan.decompress()
    scan.PixelData = bytes(len(scan.PixelData))
    delivery = stored(store, scan)
    a_router(store, redis, classifier.url).read(delivery)
    assert record_of(store, delivery).outcome.state == "declined"
    assert classifier.asked == 0


def test_a_revision_names_the_report_it_replaces(store: Store, redis: Redis, classifier: Classifier) -> None:
    """A later pair is reported anew, and its report names its predecessor."""
    router = a_router(store, redis, classifier.url)
    first = example()
    router.read(stored(store, first))
    second = dcmread(EXAMPLES[0])
    later = datetime.strptime(second.AcquisitionTime[:6], "%H%M%S").replace(hour=23).strftime("%H%M%S")
    second.AcquisitionTime = second.ContentTime = later
    second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = f"{first.SOPInstanceUID}.1"
    isotope = second.RadiopharmaceuticalInformationSequence[0]
    isotope.RadiopharmaceuticalStartTime = "200000"
    delivery = stored(store, second)
    router.read(delivery)
    record = record_of(store, delivery)
    reports = [dcmread(result_path(store, record.folder, f"r{n}-metastasis-report")) for n in (1, 2)]
    named = reports[1].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == reports[0].SOPInstanceUID
    assert len(record.deliveries) == 2


def test_parking_keeps_the_sentence(store: Store, redis: Redis, classifier: Classifier) -> None:
    """What cannot be read is parked in the record with the reason."""
    delivery = stored(store, example())
    a_router(store, redis, classifier.url).park(delivery, "Its pixel data cannot be decoded.")
    outcome = record_of(store, delivery).outcome
    assert (outcome.state, outcome.reason) == ("parked", "Its pixel data cannot be decoded.")


def _anterior_only(scan: Dataset) -> Dataset:
    scan.decompress()
    scan.PixelData = scan.PixelData[: len(scan.PixelData) // 2]
    scan.NumberOfFrames = 1
    scan.EnergyWindowVector, scan.DetectorVector, scan.NumberOfDetectors = [1], [1], 1
    scan.DetectorInformationSequence = scan.DetectorInformationSequence[:1]
    return scan


def _lines(store: Store, folder: str) -> list[bytes]:
    return (store.study(folder) / "events.jsonl").read_bytes().splitlines()


def _pyrophosphate(scan: Dataset) -> Dataset:
    """Say that pyrophosphate was injected."""
    dose = scan.RadiopharmaceuticalInformationSequence[0]
    dose.RadiopharmaceuticalCodeSequence[0].CodeValue, dose.Radiopharmaceutical = "764821009", "PYP"
    return scan


def _said(store: Store, record: Record, model: str) -> str:
    """What the report of a model says in sentences."""
    report = dcmread(result_path(store, record.folder, f"r1-{model}-report"))
    return "\n".join(item.value for item in report.iterall() if item.keyword == "TextValue")


def _meanings(report: Dataset) -> set[str]:
    """The meaning of every code in a report."""
    return {item.value for item in report.iterall() if item.keyword == "CodeMeaning"}
