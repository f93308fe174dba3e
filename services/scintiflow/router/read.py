"""A ready study -> findings -> DICOM results on disk -> work for the sender."""

import hashlib
import io
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import structlog
from google.protobuf.json_format import ParseDict
from pydicom import Dataset, dcmread
from pydicom.filereader import read_partial

from scintiflow.config import Configuration
from scintiflow.contracts.v1.finding_pb2 import Finding, Result, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.decode import Decoded, decode
from scintiflow.dicom.privacy import log_names
from scintiflow.dicom.reading import read_header
from scintiflow.errors import Declined
from scintiflow.records import Event, Record, as_json, finding_path, note, read_record, result_path, work_key
from scintiflow.results import ENCODERS, Reading, Scan
from scintiflow.router import metrics
from scintiflow.router.catalogue import Catalogue
from scintiflow.router.classify import find
from scintiflow.store import Store
from scintiflow.stream import Delivery, Stream
from scintiflow.tracing import NOWHERE, Tracing, gathered, read


@dataclass(frozen=True)
class Router:
    """What reading needs: the disk, the classifier, the rules, the senders' queues, and what the classifier serves."""

    store: Store
    classifier: httpx.Client
    configuration: Configuration
    results: Mapping[str, Stream]
    tracing: Tracing = NOWHERE
    catalogue: Catalogue = field(default_factory=Catalogue)

    def read(self, delivery: Delivery) -> None:
        """Bring one revision of a study to `reported` or to an end; safe to repeat at any point.

        Raises:
            Unavailable: the classifier or the disk is not ready.
            Refused: its pixels cannot be decoded.
        """
        ready = StudyReady.FromString(delivery.body)
        with self.tracing.attempt(ready.study, read(ready.revision)):
            self._read(ready)
        self.tracing.tell(ready.study, read(ready.revision), gathered(ready.revision), ready.ready_at, time.time())

    def _read(self, ready: StudyReady) -> None:
        record = read_record(self.store, ready.study)
        if record.awaits_reading(ready.revision):
            metrics.STAGE_SECONDS.labels("wait").observe(time.time() - ready.ready_at)
            if record.outcome.state != "reading":  # a retry is no news
                note(self.store, ready.study, "reading", revision=ready.revision)
            self._report(ready, record)
            record = read_record(self.store, ready.study)
        self._hand_over(record, ready.revision)

    def park(self, delivery: Delivery, reason: str) -> None:
        """Write down why a study cannot be read."""
        ready = StudyReady.FromString(delivery.body)
        note(self.store, ready.study, "parked", stage="read", revision=ready.revision, reason=reason)
        _count(ready, "parked")
        structlog.get_logger().error("parked", reason=reason, **log_names(self.store.salt, ready.study))

    def _report(self, ready: StudyReady, record: Record) -> None:
        """Read the study and note how that ended."""
        try:
            with self._stage("decode"):
                decoded = decode(ready.views, self._objects(ready.study))
        except Declined as declined:
            return self._end(ready, "declined", str(declined))
        with self._stage("classify"):
            findings = self._findings(ready, decoded)
        if all(finding.status == Finding.STATUS_NOT_ASSESSED for finding in findings):
            return self._end(ready, "incomplete", _why_not_assessed(findings))
        with self._stage("encode"):
            deliveries = self._deliveries(ready, record, findings, decoded)
        if not deliveries:
            return self._end(ready, "read", _why_not_sent(findings))
        note(self.store, ready.study, "reported", revision=ready.revision, deliveries=deliveries)
        _count(ready, "reported")
        return None

    @contextmanager
    def _stage(self, stage: str) -> Iterator[None]:
        with metrics.STAGE_SECONDS.labels(stage).time(), self.tracing.step(stage):
            yield

    def _end(self, ready: StudyReady, event: Event, reason: str) -> None:
        note(self.store, ready.study, event, revision=ready.revision, reason=reason)
        _count(ready, event)
        structlog.get_logger().info(event, reason=reason, **log_names(self.store.salt, ready.study))

    def _findings(self, ready: StudyReady, decoded: Decoded) -> list[Finding]:
        """Ask every enabled model; the first finding written is the one that counts."""
        mode = self.configuration.mode
        with self.catalogue.models(self.classifier, lambda name: mode(name) != "off") as models:
            found = [
                find(self.classifier, model, ready, decoded, shadow=mode(model.name) == "shadow") for model in models
            ]
        return [self._write_finding(ready, finding) for finding in found]

    def _write_finding(self, ready: StudyReady, finding: Finding) -> Finding:
        path = finding_path(self.store, finding)
        if self.store.put_once(path, as_json(finding)):
            if not ready.probe:
                metrics.count_finding(finding, synthetic=ready.synthetic)
            return finding
        first = ParseDict(json.loads(path.read_bytes()), Finding())
        if finding.status == Finding.STATUS_SHADOW:  # also where the first one was to be sent
            first.status = Finding.STATUS_SHADOW
        return first

    def _deliveries(
        self, ready: StudyReady, record: Record, findings: list[Finding], decoded: Decoded
    ) -> list[ResultReady]:
        """Encode what any destination takes, and sort it by destination."""
        wanted: defaultdict[str, list[Result]] = defaultdict(list)
        for reading in self._readings(ready, record, findings, decoded):
            for kind in ENCODERS:
                model = reading.finding.model
                names = self.configuration.destinations_for(model, kind, synthetic=ready.synthetic, probe=ready.probe)
                for name in names:
                    wanted[name].append(self._write_result(reading, kind))
        return [
            ResultReady(
                study=ready.study,
                revision=ready.revision,
                destination=destination,
                results=results,
                last_stored_at=ready.last_stored_at,
                ready_at=time.time(),
                caller=ready.caller,
            )
            for destination, results in wanted.items()
        ]

    def _readings(
        self, ready: StudyReady, record: Record, findings: list[Finding], decoded: Decoded
    ) -> Iterator[Reading]:
        """Yield what the encoders need of each finding that is to be sent."""
        headers = tuple(self._header(ready.study, digest) for digest in sorted({view.digest for view in ready.views}))
        scan = Scan(decoded.frames, decoded.pixel_mm, headers)
        for finding in findings:
            if finding.status == Finding.STATUS_ASSESSED:
                yield Reading(
                    finding=finding,
                    others=tuple(other for other in findings if other.status == Finding.STATUS_NOT_ASSESSED),
                    scan=scan,
                    predecessor=self._predecessor(record, finding),
                    encoded_at=datetime.now(UTC).astimezone(),
                )

    def _write_result(self, reading: Reading, kind: str) -> Result:
        """Encode one result unless it lies there already; its bytes are sent as they are ever after."""
        finding = reading.finding
        name = f"r{finding.revision}-{finding.model}-{kind}"
        path = result_path(self.store, finding.study, name)
        written = path.read_bytes() if path.exists() else self._encode(reading, kind, path)
        header = read_partial(io.BytesIO(written), lambda tag, *_: True).file_meta
        return Result(
            name=name,
            kind=kind,
            model=finding.model,
            sop_class_uid=header.MediaStorageSOPClassUID,
            sop_instance_uid=header.MediaStorageSOPInstanceUID,
            digest=hashlib.sha256(written).hexdigest(),
        )

    def _encode(self, reading: Reading, kind: str, path: Path) -> bytes:
        """Encode a result and write it, unless another router was first; return what lies there."""
        file = io.BytesIO()
        ENCODERS[kind](reading).save_as(file, enforce_file_format=True)
        data = file.getvalue()
        return data if self.store.put_once(path, data) else path.read_bytes()

    def _hand_over(self, record: Record, revision: int) -> None:
        """Queue what the senders have not delivered yet."""
        for delivery in record.deliveries:
            queue = self.results.get(delivery.destination)
            if queue is not None and delivery.revision == revision and record.undelivered(delivery):
                queue.publish(work_key(record.folder, revision), delivery.SerializeToString(), delivery.caller)

    def _predecessor(self, record: Record, finding: Finding) -> Dataset | None:
        """Return the header of the report that this finding's report replaces, if it is still on disk."""
        earlier = [
            (delivery.revision, result.name)
            for delivery in record.deliveries
            for result in delivery.results
            if delivery.revision < finding.revision and result.model == finding.model and result.kind == "report"
        ]
        path = result_path(self.store, record.folder, max(earlier)[1]) if earlier else None
        return dcmread(path, stop_before_pixels=True) if path is not None and path.exists() else None

    def _objects(self, folder: str) -> Path:
        return self.store.study(folder) / "objects"

    def _header(self, folder: str, digest: str) -> Dataset:
        with (self._objects(folder) / f"{digest}.dcm").open("rb") as file:
            return read_header(file)


def _count(ready: StudyReady, outcome: str) -> None:
    """Count a study that leaves the router, unless the probe sent it."""
    if not ready.probe:
        metrics.STUDIES.labels(outcome).inc()


def _why_not_assessed(findings: list[Finding]) -> str:
    if not findings:
        return "No model is enabled in scintiflow.toml."
    return "; ".join(f"{finding.model} not assessed: {finding.reason}" for finding in findings)


def _why_not_sent(findings: list[Finding]) -> str:
    assessed = any(finding.status == Finding.STATUS_ASSESSED for finding in findings)
    return "No destination takes its results." if assessed else "Only shadow models answered; nothing is sent."
