"""The keeper's day: hear of objects, decide when their time has come, compare the disk with the queues."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog
from redis.exceptions import RedisError

from scintiflow.clock import Clock
from scintiflow.contracts.v1.study_pb2 import Arrival, AssociationEnded, ObjectStored
from scintiflow.dicom.privacy import log_names
from scintiflow.errors import ScintiflowError
from scintiflow.keeper import metrics
from scintiflow.keeper.deadlines import Deadlines
from scintiflow.keeper.gather import Decision, gather, may_complete
from scintiflow.keeper.lease import Lease
from scintiflow.keeper.punctuality import Punctuality
from scintiflow.keeper.resume import forsaken, resume
from scintiflow.keeper.retention import expire, forget, oldest_delivered, overdue, overdue_probes
from scintiflow.keeper.settings import KeeperSettings
from scintiflow.records import ENDS, Record, note, read_record, work_key
from scintiflow.store import Store
from scintiflow.stream import Stream
from scintiflow.tracing import NOWHERE, Tracing, gathered, whole

_DAY = 86_400.0
_RETENTION_SECONDS = 600.0
_LONGEST_WAIT = 0.5
_MOST_A_TURN = 20  # events, and studies to decide: who comes next waits for so many at most
_REST_AFTER_SWEEP = 3  # times as long as it took: many open studies must not keep the keeper from new ones
_TRY_AGAIN_SECONDS = 30.0
_SETTLED_SECONDS = 2.0  # file times are coarse: a change this young may hide a younger one


@dataclass
class Keeper:
    """Everything the active keeper holds; all of it can be rebuilt from `store`."""

    store: Store
    events: Stream
    ready: Stream
    results: dict[str, Stream]
    deadlines: Deadlines
    lease: Lease
    settings: KeeperSettings
    clock: Clock
    punctuality: Punctuality
    tracing: Tracing = NOWHERE
    _trouble: str | None = "it has not reached Redis yet"
    _seen: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _records: dict[str, Record] = field(default_factory=dict)
    _next_sweep: float = 0.0
    _next_retention: float = 0.0
    _is_new: bool = True
    """It has not been active yet, or stood by since, and knows no times."""

    def keep(self, worker: str, stopped: threading.Event) -> None:
        """Run until `stopped`, active under the lease or standing by; Redis may be away at any time."""
        while not stopped.is_set():
            try:
                self._take_turn(worker, stopped)
                self._trouble = None
            except RedisError as error:
                self._stumble(f"it waits for Redis ({type(error).__name__})", stopped)
            except (ScintiflowError, OSError) as error:
                self._stumble(str(error), stopped)
        with suppress(RedisError):
            self.lease.let_go()

    def readiness(self) -> str | None:
        """Return why the last turn failed, or None."""
        return self._trouble

    def _stumble(self, trouble: str, stopped: threading.Event) -> None:
        self._trouble = trouble
        self._next_sweep = 0.0  # Redis may come back empty
        structlog.get_logger().warning("the keeper will try again", reason=trouble)
        stopped.wait(1.0)

    def _take_turn(self, worker: str, stopped: threading.Event) -> None:
        active = self.lease.hold()
        metrics.ACTIVE.set(active)
        if not active:
            self._next_sweep, self._is_new = 0.0, True
            stopped.wait(1.0)
            return
        if self._is_new:
            self.punctuality.begin(time.time())
        if time.monotonic() >= self._next_sweep:
            self._each_queue(Stream.drop_foreign_keys)
        self._hear(worker)
        self._decide_due()
        self._release_retries()
        self._sweep_in_time()
        self._look_at_the_clock()  # every turn: one that is set and set back between two looks leaves times behind

    def _hear(self, worker: str) -> None:
        """Take what the receiver tells; wait no longer than the next deadline allows."""
        due = min(filter(None, [self.deadlines.next_due(), *(queue.next_due() for queue in self._queues())]), default=0)
        wait = min(_LONGEST_WAIT, max(0.0, due - time.time())) if due else _LONGEST_WAIT
        taken = self.events.take_over(worker, _MOST_A_TURN) or self.events.take(worker, _MOST_A_TURN, wait)
        for delivery in taken:
            with _sparing_the_others(self.store):
                self._heard(Arrival.FromString(delivery.body))
            self.events.acknowledge(delivery)

    def _heard(self, arrival: Arrival) -> None:
        if arrival.HasField("stored"):
            self._stored(arrival.stored)
        else:
            self._ended(arrival.ended)

    def _stored(self, stored: ObjectStored) -> None:
        due = time.time() + self.settings.quiet_seconds
        self.deadlines.touched(stored.study, stored.association, stored.caller, due)
        if may_complete(self.store, stored.study, stored.digest):
            self._decide(stored.study)

    def _ended(self, ended: AssociationEnded) -> None:
        for folder in ended.studies:
            self.deadlines.released(folder, ended.association)

    def _decide_due(self) -> None:
        now = time.time()
        for folder in self.deadlines.due(now, _MOST_A_TURN):
            self.deadlines.decide_at(folder, now + _TRY_AGAIN_SECONDS)  # unless it can be decided now
            with _sparing_the_others(self.store, folder):
                self._decide_if_quiet(folder, now)

    def _decide_if_quiet(self, folder: str, now: float) -> None:
        record = read_record(self.store, folder)
        if not record.undecided:
            return self.deadlines.decided(folder)
        quiet = now - max(record.objects.values())
        if 0 <= quiet < self.settings.quiet_seconds:  # below 0 where a clock was set back
            self.deadlines.decide_at(folder, now - quiet + self.settings.quiet_seconds)
        elif 0 <= quiet < self.settings.idle_seconds and self.deadlines.is_touched(folder):
            self.deadlines.decide_at(folder, now + 1.0)
        else:
            self._decide(folder)
        return None

    def _decide(self, folder: str) -> None:
        decision = gather(self.store, folder, time.time(), self.deadlines.caller(folder))
        if decision is not None:
            if decision.ready is None or not decision.ready.probe:
                metrics.DECISIONS.labels(decision.event).inc()
            names = log_names(self.store.salt, folder)
            structlog.get_logger().info(decision.event, reason=decision.reason, **names)
            self._trace(folder, decision)
        if decision is not None and decision.ready is not None:
            ready = decision.ready
            metrics.GATHER_SECONDS.observe(ready.ready_at - ready.last_stored_at)
            self.ready.publish(work_key(folder, ready.revision), ready.SerializeToString(), ready.caller)
        self.deadlines.decided(folder)

    def _trace(self, folder: str, decision: Decision) -> None:
        """Tell of the gathering that a decision ends and, with the first one, of the study that all spans belong to."""
        now, facts = time.time(), {"scintiflow.decision": decision.event}
        if decision.first_stored_at is not None:
            self.tracing.tell(folder, whole(), None, decision.first_stored_at, now)
        if decision.ready is not None:
            begun = decision.ready.last_stored_at
            self.tracing.tell(folder, gathered(decision.ready.revision), whole(), begun, now, **facts)

    def _each_queue(self, do: Callable[[Stream], None]) -> None:
        for queue in (self.events, *self._queues()):
            do(queue)

    def _queues(self) -> list[Stream]:
        return [self.ready, *self.results.values()]

    def _release_retries(self) -> None:
        for queue in self._queues():
            queue.release_due()

    def _sweep_in_time(self) -> None:
        now = time.monotonic()
        if now >= self._next_sweep:
            self._sweep()
            self._measure()
            self._make_room()  # first of all that writes
            took = time.monotonic() - now
            self._next_sweep = now + max(self.settings.sweep_seconds, (1 + _REST_AFTER_SWEEP) * took)
        if now >= self._next_retention:
            self._next_retention = now + _RETENTION_SECONDS
            self._retain()

    def _look_at_the_clock(self) -> None:
        """Trust no time that was written down before the clock was set."""
        if self._is_new and self._seen:
            last_seen = max(signature[0] for signature in self._seen.values())
            self.clock.begin(last_seen, self.settings.retention_days * _DAY)
        if self.clock.step() < 0 or self._is_new:
            self._each_queue(Stream.start_times_anew)
        self._is_new = False

    def _sweep(self) -> None:
        """Remove what the dead left half done, read every record that has changed, queue what the open ones miss."""
        with suppress(OSError):  # a disk in trouble must not keep us from what it still gives
            self.store.sweep_incoming()
        folders = set(self.store.studies())
        for gone in self._records.keys() - folders:
            del self._records[gone], self._seen[gone]
        for folder in folders:
            with _sparing_the_others(self.store, folder):
                self._look_at(folder)

    def _look_at(self, folder: str) -> None:
        signature = self._signature(folder)
        if self._seen.get(folder) != signature or signature[0] > time.time() - _SETTLED_SECONDS:
            self._records[folder], self._seen[folder] = read_record(self.store, folder), signature
        record = self._records[folder]
        if record.outcome.state not in ENDS or any(map(record.undelivered, record.deliveries)):
            self._resume(record)

    def _resume(self, record: Record) -> None:
        for name in forsaken(record, self.results):
            reason = f"{name} is no longer in scintiflow.toml; add it again and replay."
            note(self.store, record.folder, "parked", stage="send", destination=name, reason=reason)
        resume(
            record,
            deadlines=self.deadlines,
            ready=self.ready,
            results=self.results,
            quiet=self.settings.quiet_seconds,
        )

    def _signature(self, folder: str) -> tuple[float, ...]:
        """Return what changes whenever a study's record does, newest time first, from a few calls to stat."""
        study = self.store.study(folder)
        parts = [study / "objects", study / "events.jsonl", *(study / "delivered" / name for name in self.results)]
        times = [part.stat().st_mtime if part.exists() else 0.0 for part in parts]
        return (max(times), *times)

    def _retain(self) -> None:
        now, days, days_open = time.time(), self.settings.retention_days, self.settings.retention_days_open
        self._look_at_the_clock()
        even_since = self.clock.even_since()
        for record in overdue(self._records.values(), now, days=days, days_open=days_open, even_since=even_since):
            self._expire(record, "its time is over")
        for record in overdue_probes(list(self._records.values()), now, hours=self.settings.probe_retention_hours):
            self._forget(record)

    def _make_room(self) -> None:
        for record in oldest_delivered(self._records.values(), time.time()):
            if self.store.free_bytes() >= self.settings.free_bytes_wanted:
                break
            self._expire(record, "the disk was running full")

    def _expire(self, record: Record, reason: str) -> None:
        del self._records[record.folder], self._seen[record.folder]  # whatever comes of it, the sweep reads it again
        with _sparing_the_others(self.store, record.folder):
            expire(self.store, record, reason)
            metrics.EXPIRED.labels(record.outcome.state).inc()
            names = log_names(self.store.salt, record.folder)
            structlog.get_logger().info("expired", reason=reason, **names)

    def _forget(self, record: Record) -> None:
        with _sparing_the_others(self.store, record.folder):
            forget(self.store, record)

    def _measure(self) -> None:
        metrics.FREE_BYTES.set(self.store.free_bytes())
        metrics.WANTED_BYTES.set(self.settings.free_bytes_wanted)
        records = [record for record in self._records.values() if not record.is_probe]
        states = [record.outcome.state for record in records]
        for state in (*ENDS, "receiving", "queued", "reading", "delivering"):
            metrics.STUDIES.labels(state).set(states.count(state))
        metrics.PARKED.set(sum(record.outcome.state == "parked" and bool(record.objects) for record in records))
        for queue in (self.events, *self._queues()):
            depth = queue.depth()
            metrics.QUEUE_WAITING.labels(queue.name).set(depth.waiting)
            metrics.QUEUE_LEASED.labels(queue.name).set(depth.leased)
            metrics.QUEUE_LATER.labels(queue.name).set(depth.later)
            metrics.QUEUE_OLDEST_SECONDS.labels(queue.name).set(depth.oldest_seconds)
        self._count_due()
        metrics.SWEPT.set_to_current_time()

    def _count_due(self) -> None:
        now = time.time()
        for record in self._records.values():
            for destination, verdict in self.punctuality.judge(record, now).items():
                metrics.count_due(destination, verdict)


@contextmanager
def _sparing_the_others(store: Store, folder: str | None = None) -> Iterator[None]:
    """Keep what is wrong with one study, or with the disk below it, from stopping the work on the others."""
    try:
        yield
    except RedisError:
        raise
    except Exception as error:
        told = isinstance(error, ScintiflowError | OSError)
        reason = str(error) if isinstance(error, ScintiflowError) else type(error).__name__
        names = log_names(store.salt, folder) if folder else {}
        structlog.get_logger().error("put a study off", reason=reason, exc_info=not told, **names)
