"""A study's way over the line as one trace, told to a real OTLP endpoint; and as log lines that name it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

from scintiflow.dicom.identity import study_folder
from scintiflow.dicom.privacy import reference
from tests.otlp import Collector, Told, collecting
from tests.pacs import Pacs
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.waiting import wait_for

NO_ROOM = 0xA700
BELOW = {
    ("receive", "receiver"): "study",
    ("gather", "keeper"): "study",
    ("read", "router"): "gather",
    ("read attempt", "router"): "read",
    ("decode", "router"): "read attempt",
    ("classify", "router"): "read attempt",
    ("infer", "classifier"): "classify",
    ("encode", "router"): "read attempt",
    ("deliver", "sender"): "read",
    ("deliver attempt", "sender"): "deliver",
}
"""Every span but the first, by name and process -> the name of the one that it belongs to."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """An OTLP endpoint."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    """A PACS whose answers may change."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture(scope="module")
def stack(collector: Collector, pacs: Pacs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation that traces and logs JSON."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "SCINTIFLOW_LOG_FORMAT": "json",
        "SCINTIFLOW_SENDER_RETRY_FIRST_SECONDS": "1",
    }
    folder = tmp_path_factory.mktemp("traced")
    with running_stack(folder, CONFIGURATION.format(port=pacs.port), **environment) as stack:
        yield stack


def trace_of(stack: Stack, scan: Dataset) -> str:
    """Return the id that a study's trace must have."""
    return reference(stack.store.salt, study_folder(scan.StudyInstanceUID))


def told_of(collector: Collector, trace: str, count: int) -> list[Told]:
    """Wait until a trace has so many spans, and return them."""
    wait_for(lambda: len(collector.spans(trace)) >= count)
    return collector.spans(trace)


def one(spans: list[Told], name: str) -> Told:
    """Return the only span of this name."""
    (found,) = (told for told in spans if told.span.name == name)
    return found


def test_a_study_is_one_trace_over_five_processes(stack: Stack, collector: Collector) -> None:
    """Each process tells its part, below the part that it follows from, in the order of the line."""
    (scan,) = copies(EXAMPLES, 1)
    assert send(stack.dicom_port, [scan]) == [0x0000]
    assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
    spans = told_of(collector, trace_of(stack, scan), len(BELOW) + 1)
    root = one(spans, "study")
    assert (root.process, root.span.parent_span_id) == ("keeper", b"")
    for (name, process), parent in BELOW.items():
        told = one(spans, name)
        assert (told.process, told.span.parent_span_id) == (process, one(spans, parent).span.span_id), name
    order = ["receive", "gather", "read", "classify", "infer", "deliver"]
    ends = [one(spans, name).span.end_time_unix_nano for name in ("receive", "gather", "infer", "read", "deliver")]
    assert [told.span.name for told in spans if told.span.name in order] == order
    assert ends == sorted(ends)
    assert not any(told.span.status.code for told in spans)


def test_what_is_delivered_after_trouble_belongs_to_the_same_trace(
    stack: Stack, collector: Collector, pacs: Pacs
) -> None:
    """A PACS without room, a sender killed meanwhile: each attempt, and the delivery at last, are in the one trace."""
    (scan,) = copies(EXAMPLES, 1)
    trace = trace_of(stack, scan)

    def attempts() -> list[Told]:
        return [told for told in collector.spans(trace) if told.span.name == "deliver attempt"]

    pacs.answer = lambda uid: NO_ROOM
    assert send(stack.dicom_port, [scan]) == [0x0000]
    wait_for(attempts)
    for process in stack.running("scintiflow.sender"):
        process.kill()
    pacs.answer = lambda uid: 0x0000
    assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
    delivery = wait_for(lambda: next((t for t in collector.spans(trace) if t.span.name == "deliver"), None))
    failed, *_, last = wait_for(lambda: attempts() if len(attempts()) > 1 else None)
    assert (failed.span.status.message, last.span.status.code) == ("Unavailable", 0)
    assert {told.span.parent_span_id for told in (failed, last)} == {delivery.span.span_id}
    assert delivery.span.start_time_unix_nano <= failed.span.start_time_unix_nano


def test_traces_and_logs_name_no_patient(stack: Stack, collector: Collector) -> None:
    """Neither holds a UID, a patient's name or identifier, or the folder of a study, which is a digest of its UID."""
    (scan,) = copies(EXAMPLES, 1)
    scan.PatientName = "Hidden^Patient"
    send(stack.dicom_port, [scan])
    stack.outcome(scan.StudyInstanceUID)
    wait_for(lambda: any(told.span.name == "deliver" for told in collector.spans(trace_of(stack, scan))))
    told = collector.everything() + stack.log.read_bytes()
    folder = study_folder(scan.StudyInstanceUID)
    for secret in (scan.StudyInstanceUID, scan.SOPInstanceUID, scan.PatientID, "Hidden", folder[:12]):
        assert secret.encode() not in told


def test_each_line_about_a_study_names_its_trace(stack: Stack) -> None:
    """Lines are JSON; those of keeper and sender give the study's reference, and the trace to look at."""
    (scan,) = copies(EXAMPLES, 1)
    send(stack.dicom_port, [scan])
    stack.outcome(scan.StudyInstanceUID)
    trace = trace_of(stack, scan)

    def events() -> set[tuple[str, str]]:
        lines = [line.partition(" | ")[2] for line in stack.log.read_text().splitlines() if trace in line]
        about = [json.loads(line) for line in lines]
        assert {line["study"] for line in about} <= {trace[:12]}
        return {(line["process"], line["event"]) for line in about}

    wait_for(lambda: {("keeper", "selected"), ("sender", "delivered")} <= events())


def test_an_endpoint_that_hangs_harms_nobody(pacs: Pacs, tmp_path: Path) -> None:
    """Studies go round, and a stop is as ever, although spans get through to nobody."""
    pacs.answer = lambda uid: 0x0000
    with collecting(hangs=True) as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "10"}
        with running_stack(tmp_path, CONFIGURATION.format(port=pacs.port), **environment) as stack:
            for scan in copies(EXAMPLES, 3):
                assert send(stack.dicom_port, [scan]) == [0x0000]
                assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
                assert collector.asked.wait(10)
        assert stack.process.returncode == 0
