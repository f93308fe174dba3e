"""Stored results -> a destination, over one association; each acknowledgement leaves a marker on disk."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from scintiflow.config import Destination
from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.dicom.privacy import log_name
from scintiflow.errors import Failed, Refused, Unavailable
from scintiflow.records import Record, marker_path, note, read_record, result_path
from scintiflow.sender import metrics
from scintiflow.sender.c_store import c_store, without_delay
from scintiflow.store import Store
from scintiflow.stream import Delivery

_config.STORE_SEND_CHUNKED_DATASET = True  # send the stored bytes, without a decode in between

_DAY = 86_400.0
_SUCCESS = 0x0000
_OUT_OF_RESOURCES = range(0xA700, 0xA800)  # PS3.4 table B.2-1
_WARNING = range(0xB000, 0xC000)
_REJECTED_TRANSIENT = 2  # PS3.8 table 9-21


@dataclass(frozen=True)
class Sender:
    """What delivering to one destination needs."""

    store: Store
    destination: Destination
    calling: str
    timeout: float
    give_up_days: float

    def deliver(self, delivery: Delivery) -> None:
        """Send what this destination has not acknowledged yet.

        Raises:
            Unavailable: it is away or busy.
            Failed: it refuses a result, for a reason that may pass.
            Refused: it has been away for too long, or must not get these results since scintiflow.toml was changed.
        """
        ready = ResultReady.FromString(delivery.body)
        record = read_record(self.store, ready.study)
        pending = [result for result in ready.results if result.name in record.undelivered(ready)]
        if not pending:
            return
        self._require_taken(record, ready)
        with metrics.DELIVER_SECONDS.labels(self.destination.name).time(), self._patience(record, ready):
            self._send(ready, pending)
        metrics.END_TO_END_SECONDS.labels(self.destination.name).observe(time.time() - ready.last_stored_at)
        structlog.get_logger().info("delivered", study=log_name(ready.study), destination=self.destination.name)

    def park(self, delivery: Delivery, reason: str) -> None:
        """Write down why a study's results cannot be delivered here."""
        ready = ResultReady.FromString(delivery.body)
        name = self.destination.name
        note(self.store, ready.study, "parked", stage="send", destination=name, revision=ready.revision, reason=reason)
        metrics.RESULTS.labels(name, "parked").inc(len(ready.results))
        structlog.get_logger().error("parked", study=log_name(ready.study), destination=name, reason=reason)

    def _require_taken(self, record: Record, ready: ResultReady) -> None:
        """Ask the rules of now, because the results may have waited for long, or been replayed."""
        synthetic = any(read.synthetic for read in record.readies if read.revision == ready.revision)
        if not self.destination.takes(synthetic=synthetic):
            kind = "synthetic" if synthetic else "real"
            raise Refused(f"{self.destination.name} takes no results of {kind} studies; see `synthetic` in its table.")

    @contextmanager
    def _patience(self, record: Record, ready: ResultReady) -> Iterator[None]:
        """Give up on an absent destination after `give_up_days`, counted anew from a replay."""
        try:
            yield
        except Unavailable as error:
            since = max([ready.ready_at, *(event["at"] for event in record.events if event["event"] == "replayed")])
            if time.time() - since > self.give_up_days * _DAY:
                raise Refused(f"{self.destination.name} was away for {self.give_up_days:g} days: {error}") from error
            raise

    def _send(self, ready: ResultReady, results: list[Result]) -> None:
        """Send all results; one that is refused does not hold the others back."""
        refused: list[Failed] = []
        with self._associated({result.sop_class_uid for result in results}) as association:
            for result in results:
                try:
                    self._store(association, ready, result)
                except Failed as error:
                    refused.append(error)
        if refused:
            raise refused[0]

    def _store(self, association: Association, ready: ResultReady, result: Result) -> None:
        """C-STORE one result and mark it when the destination says it has it."""
        name = self.destination.name
        try:
            response = c_store(association, result_path(self.store, ready.study, result.name))
        except ValueError as error:
            raise Failed(f"{name} takes no {result.kind} (it accepts no presentation context for it).") from error
        except RuntimeError as error:
            raise Unavailable(f"{name} broke the association off between two results.") from error
        status = response.get("Status")
        if status is None:
            raise Unavailable(f"{name} broke the association off.")
        if status in _OUT_OF_RESOURCES:
            raise Unavailable(f"{name} is out of resources (status {status:04X}).")
        if status != _SUCCESS and status not in _WARNING:
            metrics.RESULTS.labels(name, "refused").inc()
            raise Failed(f"{name} refuses the {result.kind} (status {status:04X}); look into its log.")
        marker = {"at": time.time(), "status": f"{status:04X}", "sop_instance_uid": result.sop_instance_uid}
        self.store.put_once(marker_path(self.store, ready.study, name, result.name), json.dumps(marker).encode())
        metrics.RESULTS.labels(name, "delivered").inc()

    @contextmanager
    def _associated(self, sop_classes: set[str]) -> Iterator[Association]:
        """Open an association that offers `sop_classes`, and release it."""
        entity = AE(self.calling)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = self.timeout
        for sop_class in sorted(sop_classes):
            entity.add_requested_context(sop_class, ExplicitVRLittleEndian)
        association = entity.associate(
            self.destination.host,
            self.destination.port,
            ae_title=self.destination.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, without_delay)],
        )
        if not association.is_established:
            raise self._no_association(association)
        try:
            yield association
        finally:
            association.release()

    def _no_association(self, association: Association) -> Unavailable | Failed:
        name, answer = self.destination.name, association.acceptor.primitive
        if association.is_rejected and answer is not None and answer.result != _REJECTED_TRANSIENT:
            return Failed(f"{name} rejects our association ({answer.reason_str}); allow {self.calling} there.")
        return Unavailable(f"{name} does not accept an association.")
