"""One association from its first byte to its last: who it is, what it stored, and what it leaves behind."""

import shutil
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import structlog
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.events import Event

from scintiflow.config import Allowed
from scintiflow.contracts.v1.study_pb2 import AssociationEnded, ObjectStored
from scintiflow.dicom.identity import study_folder
from scintiflow.errors import Refused, Unavailable
from scintiflow.receiver import metrics
from scintiflow.receiver.allowlist import allows, is_title, lines_to_add
from scintiflow.receiver.backlog import Backlog
from scintiflow.receiver.c_store import StoreRequest
from scintiflow.receiver.header import read_header
from scintiflow.receiver.notifier import Notifier
from scintiflow.receiver.part import Part
from scintiflow.receiver.sparing import Sparing
from scintiflow.receiver.status import STATUS, Outcome, Rejection
from scintiflow.store import Store
from scintiflow.tracing import NOWHERE, Fact, Tracing, received, whole

log = structlog.get_logger()


Fault = Literal["too_slow", "protocol"]
"""Why we ended an association that we had accepted; also the label of the metric."""


@dataclass(frozen=True)
class Reception:
    """What all associations of one listener share."""

    store: Store
    notifier: Notifier
    allow: tuple[Allowed, ...]
    incoming: Path
    """The listener's own folder under incoming/."""
    minimum_free_bytes: int
    backlog: Backlog
    sparing: Sparing = field(default_factory=Sparing)
    tracing: Tracing = NOWHERE


@dataclass
class Visit:
    """One association, seen from our side; `name` is "<listener>/<number>"."""

    reception: Reception
    name: str
    caller: str = ""
    accepted: bool = False
    fault: Fault | None = None
    studies: set[str] = field(default_factory=set)
    parts: int = 0
    part: Part | None = None
    """The latest."""

    @property
    def folder(self) -> Path:
        """Where objects of this association grow."""
        return self.reception.incoming / self.name.rpartition("/")[2]

    def admit(self, caller: str, called: str, address: str, us: str) -> Rejection | None:
        """Return why a sender is not let in, or None: it must be allowed, mean `us`, and too much must not wait."""
        why: Rejection
        if not is_title(caller):
            why = "rejected_calling"
            self.turn_away(why, address, "rejected a sender whose AE title is illegal", caller=ascii(caller))
        elif not allows(self.reception.allow, caller, address):
            why, lines = "rejected_calling", lines_to_add(caller, address)
            hint = "rejected an unknown sender; to let it in, add the lines to scintiflow.toml"
            self.turn_away(why, (address, caller), hint, lines=lines)
        elif called != us:
            why, hint = "rejected_called", "rejected a sender that calls another AE title; correct it there"
            self.turn_away(why, (address, caller), hint, called=ascii(called))
        elif self.reception.backlog.full:
            why = "rejected_backlog"
            self.turn_away(why, why, "put off a sender: too much work waits", address=address)
        else:
            return None
        return why

    def turn_away(self, outcome: str, key: Hashable, event: str, **facts: object) -> None:
        """Count and log an association that does not come about."""
        metrics.ASSOCIATIONS.labels(outcome).inc()
        self.reception.sparing.warning(key, event, **facts)

    def welcome(self, event: Event) -> None:
        """Note that the association is accepted."""
        self.accepted = True
        metrics.OPEN.inc()
        requestor = event.assoc.requestor
        self.caller = requestor.ae_title
        log.info("accepted an association", caller=self.caller, address=requestor.address, association=self.name)

    def receive(self, request: StoreRequest, syntax: str | None) -> Part:
        """Begin the file of the data set that follows a C-STORE; its faults are told when it is complete."""
        self.parts += 1
        self.part = part = Part(self.folder / str(self.parts))
        part.begin(
            request.sop_class,
            request.sop_instance,
            syntax,
            lambda: self.reception.store.free_bytes() - self.reception.minimum_free_bytes,
        )
        return part

    def store(self, request: StoreRequest, part: Part | None) -> tuple[int, str]:
        """Return status and comment of one C-STORE: success once its object is durable, else why not."""
        outcome, comment = self._outcome(request, part)
        metrics.OBJECTS.labels(outcome).inc()
        if part:
            metrics.STORE_SECONDS.observe(time.perf_counter() - part.started)
        if comment:
            if part:
                part.discard()
            facts = {"outcome": outcome, "reason": comment, "association": self.name}
            self.reception.sparing.warning((self.caller, comment), "refused an object", **facts)
        return STATUS[outcome], comment

    def end(self, association: Association) -> None:
        """Leave nothing unfinished behind, and say how the association ended."""
        if self.part:
            self.part.close()  # a file that is removed but open still takes its room
        shutil.rmtree(self.folder, ignore_errors=True)
        outcome = self._ending(association)
        metrics.ASSOCIATIONS.labels(outcome).inc()
        if self.accepted:
            metrics.OPEN.dec()
            log.info("an association ended", outcome=outcome, objects=self.parts, association=self.name)
        if self.studies:
            studies, now = sorted(self.studies), time.time()
            self.reception.notifier.ended(
                AssociationEnded(association=self.name, studies=studies, ended_at=now, caller=self.caller)
            )

    def _outcome(self, request: StoreRequest, part: Part | None) -> tuple[Outcome, str]:
        """Return what became of an object and, if it is not stored, a sentence that says why."""
        try:
            if part is None:
                raise Refused("The C-STORE has no data set.")
            return self._keep(request, part)
        except Unavailable as error:
            return "no_room", str(error)
        except Refused as error:
            return "unreadable", str(error)
        except OSError:
            return "no_room", "The disk did not give it back; try again later."
        except Exception:
            log.exception("failed to store an object")
            return "internal", "Internal error; the log of the receiver says more."

    def _keep(self, request: StoreRequest, part: Part) -> tuple[Outcome, str]:
        if part.trouble:
            raise part.trouble
        header = read_header(part.path, part.data_set_at, UID(part.syntax), part.head)
        if (header.sop_class, header.sop_instance) != (request.sop_class, request.sop_instance):
            return "mismatch", "The data set is of another SOP class or instance than its command."
        folder = study_folder(header.study)
        # a study that has begun may end: half of one helps nobody
        if self.reception.backlog.full and not self.reception.store.study(folder).exists():
            return "too_much", "Too much work waits; try again later."
        new = self.reception.store.put_object(part.path, folder, part.digest)
        part.close()  # not before: what the disk reports late is told to those who have the file open
        self.studies.add(folder)
        metrics.BYTES.inc(part.size if new else 0)
        now, digest = time.time(), part.digest
        self.reception.notifier.stored(
            ObjectStored(study=folder, digest=digest, association=self.name, stored_at=now, caller=self.caller)
        )
        begun = now - (time.perf_counter() - part.started)
        facts: dict[str, Fact] = {"scintiflow.caller": self.caller, "scintiflow.bytes": part.size}
        self.reception.tracing.tell(folder, received(digest), whole(), begun, now, **facts)
        return ("stored" if new else "again"), ""

    def _ending(self, association: Association) -> str:
        if self.fault:
            return self.fault
        return "released" if association.is_released else "aborted"
