"""Objects and events in any order, lost or repeated; Redis wiped and the keeper restarted at any time.

Hypothesis plays the world. Time passes by making everything older: files on disk, and deadlines in Redis.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pydicom import Dataset
from redis import Redis

from scintiflow.clock import Clock
from scintiflow.contracts.v1.study_pb2 import Arrival, AssociationEnded, ObjectStored, StudyReady
from scintiflow.dicom.identity import study_folder
from scintiflow.errors import Unavailable
from scintiflow.keeper.deadlines import Deadlines
from scintiflow.keeper.gather import gather
from scintiflow.keeper.keep import Keeper
from scintiflow.keeper.lease import Lease
from scintiflow.keeper.punctuality import Punctuality
from scintiflow.keeper.settings import KeeperSettings
from scintiflow.records import Record, note, read_record, work_key
from scintiflow.store import Store
from scintiflow.stream import Stream, connect
from tests.builders import ACQUIRED_AT, body_counts, file_bytes, one_view, scan, study_uid
from tests.redis_server import redis_server
from tests.waiting import wait_for

STUDIES = tuple(study_uid(f"any order {number}") for number in range(3))
SETTINGS = KeeperSettings(quiet_seconds=100, idle_seconds=1000, sweep_seconds=0.001)
EXAMPLES = 120
LATER = ACQUIRED_AT.replace(minute=45)


def views(uid: str) -> list[Dataset]:
    """A front, a back, another front, a later pair, and something that is not for us."""
    child = scan(body_counts(seed=4), study_uid=uid)
    child.PatientBirthDate, child.PatientAge = "", "005Y"
    return [
        one_view(180.0, study_uid=uid),
        one_view(0.0, study_uid=uid),
        one_view(180.0, study_uid=uid, acquired_at=LATER),
        scan(body_counts(seed=3), study_uid=uid, acquired_at=LATER),
        child,
    ]


OBJECTS = {uid: [file_bytes(image) for image in views(uid)] for uid in STUDIES}
DIGESTS = {uid: [hashlib.sha256(data).hexdigest() for data in objects] for uid, objects in OBJECTS.items()}
BEST_FIRST = ({3}, {0, 1}, {1, 2}, {2}, {0}, {1})
"""Which of a study's objects are read, when all of them are there: pairs first, the later ones of equals."""
NOTHING = Arrival(ended=AssociationEnded()).SerializeToString()

some_study, some_object = st.sampled_from(STUDIES), st.integers(0, 4)
some_association = st.sampled_from(["one/1", "one/2", "two/1"])


class AnyOrder(RuleBasedStateMachine):
    """The world around a keeper, and what it may expect of it."""

    redis: Redis

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        self.folder = TemporaryDirectory(prefix="any-order-")
        self.store = Store(Path(self.folder.name))
        self.ready = Stream(self.redis, "ready")
        self.told: list[bytes] = []
        self.count = 0
        self.keeper = self._keeper()

    def teardown(self) -> None:
        """At the end all is quiet, and everything is decided as it should be."""
        self.quiet()
        self.folder.cleanup()

    @rule(uid=some_study, which=some_object, association=some_association, lost=st.booleans())
    def arrive(self, uid: str, which: int, association: str, lost: bool) -> None:
        """An object becomes durable, perhaps again; the keeper hears of it, or not."""
        data = OBJECTS[uid][which]
        part = self.store.data / "part"
        part.write_bytes(data)
        digest = DIGESTS[uid][which]
        self.store.put_object(part, study_folder(uid), digest)
        stored = ObjectStored(study=study_folder(uid), digest=digest, association=association)
        self.told.append(Arrival(stored=stored).SerializeToString())
        if not lost:
            self._tell(self.told[-1])

    @rule(place=st.integers(0, 1000))
    def repeat(self, place: int) -> None:
        """An event comes again, or late."""
        if self.told:
            self._tell(self.told[place % len(self.told)])

    @rule(association=some_association, uid=some_study)
    def end(self, association: str, uid: str) -> None:
        """An association ends, perhaps before the events of its objects are heard."""
        ended = AssociationEnded(association=association, studies=[study_folder(uid)])
        self._tell(Arrival(ended=ended).SerializeToString())

    @rule()
    def wipe(self) -> None:
        """Redis loses everything."""
        self.redis.flushall()

    @rule()
    def restart(self) -> None:
        """The keeper is killed, its lease runs out, and another one begins."""
        self.redis.delete("scintiflow:keeper:lease")
        self.keeper = self._keeper()

    @rule(open_one=st.booleans())
    def beat(self, open_one: bool) -> None:
        """A listener lives, so that its associations hold studies back, or dies."""
        self.redis.set("scintiflow:listener:one", 1) if open_one else self.redis.delete("scintiflow:listener:one")

    @rule()
    def read(self) -> None:
        """A router takes a study from its queue and reads it, if that still waits."""
        for delivery in self.ready.take("router", 1, wait_seconds=0.01):
            ready = StudyReady.FromString(delivery.body)
            if read_record(self.store, ready.study).awaits_reading(ready.revision):
                note(self.store, ready.study, "read", revision=ready.revision, reason="Read.")
            self.ready.acknowledge(delivery)

    @rule(uid=some_study)
    def rival(self, uid: str) -> None:
        """Two keepers believe to be the active one, and decide about the same study at once."""
        if self._record(uid).objects:
            ready_set_go = threading.Barrier(2)
            with ThreadPoolExecutor(2) as both:
                for rival in [both.submit(self._gather, study_folder(uid), ready_set_go) for _ in range(2)]:
                    rival.result()

    @rule()
    def turn(self) -> None:
        """The keeper takes its turn, without waiting for anything to hear."""
        self._tell(NOTHING)
        self.keeper._take_turn("keeper", threading.Event())

    @rule(seconds=st.sampled_from([50, 150, 2000]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        for path in self.store.data.glob("studies/*/objects/*.dcm"):
            os.utime(path, times=(path.stat().st_mtime - seconds,) * 2)
            os.utime(path.parent)  # the keeper looks again where a folder has changed
        for folder in cast(list[bytes], self.redis.zrange("scintiflow:keeper:deadlines", 0, -1)):
            self.redis.zincrby("scintiflow:keeper:deadlines", -seconds, folder)

    @rule()
    def quiet(self) -> None:
        """After quiet time every study is decided by what it holds, not by how that came, and queued."""
        self.wait(2000)
        wait_for(self._settled, seconds=20, every=0)
        for uid in STUDIES:
            record = self._record(uid)
            assert _places(record.readies)[-1:] == self._best(uid, record)
            assert not record.objects or record.outcome.state in ("queued", "read", "declined")

    @invariant()
    def nothing_is_decided_twice(self) -> None:
        """Revisions count up from one, and no two have the same views."""
        for record in map(self._record, STUDIES):
            selected = [event["revision"] for event in record.events if event["event"] == "selected"]
            assert selected == list(range(1, len(selected) + 1))
            assert len(set(_places(record.readies))) == len(record.readies)

    def _keeper(self) -> Keeper:
        events, results = Stream(self.redis, "events"), {"pacs": Stream(self.redis, "results:pacs")}
        deadlines, lease, clock = Deadlines(self.redis), Lease(self.redis), Clock(self.store)
        punctuality = Punctuality([], SETTINGS.result_seconds)
        return Keeper(self.store, events, self.ready, results, deadlines, lease, SETTINGS, clock, punctuality)

    def _tell(self, event: bytes) -> None:
        self.count += 1
        Stream(self.redis, "events").publish(str(self.count), event)

    def _record(self, uid: str) -> Record:
        return read_record(self.store, study_folder(uid))

    def _gather(self, folder: str, ready_set_go: threading.Barrier) -> None:
        ready_set_go.wait()
        with suppress(Unavailable):
            gather(self.store, folder, time.time(), "PACS")

    def _settled(self) -> bool:
        """Let the keeper take a turn, and tell whether nothing is left for it to do."""
        self.turn()
        records = [record for record in map(self._record, STUDIES) if record.objects]
        waiting = [record for record in records if record.outcome.state == "queued"]
        keys = {work_key(record.folder, record.readies[-1].revision).encode() for record in waiting}
        queued = set(cast(list[bytes], self.redis.hkeys("scintiflow:ready:bodies")))
        return not any(record.undecided for record in records) and keys <= queued

    def _best(self, uid: str, record: Record) -> list[frozenset[str]]:
        """Digests of what is to be read of all that a study holds, if anything is."""
        held = {DIGESTS[uid].index(digest) for digest in record.objects}
        possible = [wanted for wanted in BEST_FIRST if wanted <= held]
        return [frozenset(DIGESTS[uid][which] for which in best) for best in possible[:1]]


def _places(readies: Sequence[StudyReady]) -> list[frozenset[str]]:
    return [frozenset(view.digest for view in ready.views) for ready in readies]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[type[AnyOrder]]:
    """The world, with a Redis of its own."""
    with redis_server(tmp_path) as url:
        AnyOrder.redis = connect(url)
        yield AnyOrder


def test_any_order_leads_to_the_same_decision(world: type[AnyOrder]) -> None:
    """Duplicated, shuffled, interleaved, partial and late objects: each best choice is read once, the last one last."""
    run_state_machine_as_test(
        world,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )
