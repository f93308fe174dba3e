"""Stored results -> a destination, over one association; each acknowledgement leaves a marker on disk."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from scintiflow.clock import Clock
from scintiflow.config import Destination
from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.deadline import Deadline
from scintiflow.dicom.c_store import PROMPTLY, c_store
from scintiflow.dicom.identity import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from scintiflow.dicom.privacy import log_names
from scintiflow.errors import Failed, Refused, Unavailable
from scintiflow.records import Record, marker_path, note, read_record, result_path
from scintiflow.sender import metrics
from scintiflow.sender.answer import ACCEPTED, REJECTED_TRANSIENT, answer_of, takes_nothing
from scintiflow.sender.status import OUT_OF_RESOURCES, THERE
from scintiflow.store import Store
from scintiflow.stream import Delivery
from scintiflow.tracing import NOWHERE, Tracing, delivered, read

_config.STORE_SEND_CHUNKED_DATASET = True  # send the stored bytes, without a decode in between

TRANSFER_SYNTAX = ExplicitVRLittleEndian
"""The one that results are written in, and offered in."""

_DAY = 86_400.0
_GRACE_SECONDS = 1.0  # for an abort to be said before the line is cut


@dataclass(frozen=True)
class Sender:
    """What delivering to one destination needs."""

    store: Store
    destination: Destination
    calling: str
    timeout: float
    slowest_bytes_per_second: float
    give_up_days: float
    clock: Clock
    tracing: Tracing = NOWHERE

    def deliver(self, delivery: Delivery) -> None:
        """Send what this destination has not acknowledged yet.

        Raises:
            Unavailable: it is away or busy, or the disk would not take what it answers.
            Failed: it refuses a result, for a reason that may pass.
            Refused: it has been away for too long, must not get these results since scintiflow.toml was changed, or one
                is gone or damaged on our disk.
        """
        ready = ResultReady.FromString(delivery.body)
        record = read_record(self.store, ready.study)
        pending = [result for result in ready.results if result.name in record.undelivered(ready)]
        if not pending or self._is_forgotten(ready.study):
            return
        self._require_taken(record, ready)
        self.store.require_room()  # or it would be sent again and again
        name = self.destination.name
        span = delivered(ready.revision, name)
        with (
            metrics.DELIVER_SECONDS.labels(name).time(),
            self._patience(record, ready),
            self.tracing.attempt(ready.study, span),
        ):
            self._send(ready, pending)
        now, facts = time.time(), {"scintiflow.destination": name}
        if not self.destination.probe:
            metrics.END_TO_END_SECONDS.labels(name).observe(now - ready.last_stored_at)
        self.tracing.tell(ready.study, span, read(ready.revision), ready.ready_at, now, **facts)
        structlog.get_logger().info("delivered", destination=name, **log_names(self.store.salt, ready.study))

    def park(self, delivery: Delivery, reason: str) -> None:
        """Write down why a study's results cannot be delivered here."""
        ready = ResultReady.FromString(delivery.body)
        name = self.destination.name
        note(self.store, ready.study, "parked", stage="send", destination=name, revision=ready.revision, reason=reason)
        metrics.RESULTS.labels(name, "parked").inc(len(ready.results))
        names = log_names(self.store.salt, ready.study)
        structlog.get_logger().error("parked", destination=name, reason=reason, **names)

    def _is_forgotten(self, folder: str) -> bool:
        """Tell whether the keeper has forgotten a study of the probe, while its results waited."""
        return self.destination.probe and not self.store.study(folder).is_dir()

    def _require_taken(self, record: Record, ready: ResultReady) -> None:
        """Ask the rules of now, because the results may have waited for long, or been replayed."""
        synthetic = any(read.synthetic for read in record.readies if read.revision == ready.revision)
        if not self.destination.takes(synthetic=synthetic, probe=record.is_probe):
            kind = "synthetic" if synthetic else "real"
            raise Refused(f"{self.destination.name} takes no results of {kind} studies; see `synthetic` in its table.")

    @contextmanager
    def _patience(self, record: Record, ready: ResultReady) -> Iterator[None]:
        """Give up on an absent destination after `give_up_days`, counted anew from a replay, or a step of the clock."""
        try:
            yield
        except Unavailable as error:
            self.clock.step()
            replays = [event["at"] for event in record.events if event["event"] == "replayed"]
            since = max(ready.ready_at, self.clock.even_since(), *replays)
            metrics.PUT_OFF.labels(self.destination.name).inc()
            if time.time() - since > self.give_up_days * _DAY:
                raise Refused(f"{self.destination.name} was away for {self.give_up_days:g} days: {error}") from error
            raise

    def _send(self, ready: ResultReady, results: list[Result]) -> None:
        """Send all results; one that is lost or refused does not hold the others back."""
        lost = {result.name: loss for result in results if (loss := self._loss(ready, result))}
        kept = [result for result in results if result.name not in lost]
        refused = self._transmit(ready, kept) if kept else []
        for trouble in (*refused, *lost.values()):
            raise trouble

    def _loss(self, ready: ResultReady, result: Result) -> Refused | Failed | None:
        """Return why a result cannot be sent as it was written, or None."""
        try:
            written = result_path(self.store, ready.study, result.name).read_bytes()
        except FileNotFoundError:
            return Refused(f"The {result.kind} is gone from DATA {_restore(result)}")
        except OSError as error:
            return Failed(f"The disk under DATA does not give the {result.kind} back ({error.strerror}); repair it.")
        if result.digest and hashlib.sha256(written).hexdigest() != result.digest:
            return Refused(f"The {result.kind} is damaged in DATA {_restore(result)}")
        return None

    def _transmit(self, ready: ResultReady, results: list[Result]) -> list[Failed]:
        """Send `results` over one association; return why it refuses those that it does."""
        refused: list[Failed] = []
        connecting = 2 * self.timeout + _GRACE_SECONDS  # to its machine, then to its application
        with Deadline(connecting) as deadline, self._associated(results, deadline) as association:
            for result in results:
                try:
                    self._store(association, deadline, ready, result)
                except Failed as error:
                    refused.append(error)
        return refused

    def _store(self, association: Association, deadline: Deadline, ready: ResultReady, result: Result) -> None:
        """C-STORE one result and mark it when the destination says it has it."""
        name, path = self.destination.name, result_path(self.store, ready.study, result.name)
        association.dimse_timeout = self.timeout + path.stat().st_size / self.slowest_bytes_per_second
        deadline.allow(association.dimse_timeout + _GRACE_SECONDS)
        try:
            response = c_store(association, path)
        except ValueError as error:
            raise Failed(f"{name} takes no {result.kind} (it accepts no presentation context for it).") from error
        except RuntimeError as error:
            raise Unavailable(f"{name} broke the association off between two results.") from error
        status = response.get("Status")
        if status is None:
            raise Unavailable(f"{name} broke the association off.")
        if status in OUT_OF_RESOURCES:
            raise Unavailable(f"{name} is out of resources (status {status:04X}).")
        if status not in THERE:
            metrics.RESULTS.labels(name, "refused").inc()
            raise Failed(f"{name} refuses the {result.kind} (status {status:04X}); look into its log.")
        marker = {"at": time.time(), "status": f"{status:04X}", "sop_instance_uid": result.sop_instance_uid}
        self.store.put_once(marker_path(self.store, ready.study, name, result.name), json.dumps(marker).encode())
        metrics.RESULTS.labels(name, "delivered").inc()

    @contextmanager
    def _associated(self, results: list[Result], deadline: Deadline) -> Iterator[Association]:
        """Open an association for `results`, and release it."""
        association = self._associate({result.sop_class_uid for result in results}, deadline)
        try:
            yield association
        finally:
            deadline.allow(self.timeout + _GRACE_SECONDS)
            association.release()

    def _associate(self, sop_classes: set[str], deadline: Deadline) -> Association:
        entity = application_entity(self.calling, self.timeout)
        for sop_class in sorted(sop_classes):
            entity.add_requested_context(sop_class, TRANSFER_SYNTAX)

        def watched(event: evt.Event) -> None:
            deadline.watch(event.assoc.dul.socket.socket)

        name, host = self.destination.name, self.destination.host
        try:
            association = entity.associate(
                host,
                self.destination.port,
                ae_title=self.destination.ae_title,
                evt_handlers=[*PROMPTLY, (evt.EVT_CONN_OPEN, watched)],
            )
        except OSError as error:
            raise Unavailable(f"{name} is at {host}, and nobody knows where that is ({error.strerror}).") from error
        if not association.is_established:
            raise self._no_association(association)
        return association

    def _no_association(self, association: Association) -> Unavailable | Failed:
        name, answer = self.destination.name, answer_of(association)
        if answer is None:
            return Unavailable(f"{name} does not accept an association.")
        if answer.result == ACCEPTED and takes_nothing(answer):
            return Failed(f"{name} takes none of the results (it accepts no presentation context for them).")
        if answer.result == ACCEPTED:
            return Unavailable(f"{name} accepted the association and broke it off.")
        if answer.result == REJECTED_TRANSIENT:
            return Unavailable(f"{name} takes no association now ({answer.reason_str}).")
        return Failed(f"{name} rejects our association ({answer.reason_str}); allow {self.calling} there.")


def application_entity(title: str, timeout: float) -> AE:
    """Return who we are to a destination, and the seconds that we wait for it."""
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = timeout
    entity.implementation_class_uid = IMPLEMENTATION_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    return entity


def _restore(result: Result) -> str:
    file = f"results/{result.name}.dcm"
    return f"({file}); put it back and replay, or remove the study's folder there and send the study again."
