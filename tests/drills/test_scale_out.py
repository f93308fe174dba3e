"""Half of a fleet dies while studies stream in: nothing is lost, nothing is there twice, and all share the work.

Two receivers, two keepers, three routers, two classifiers and two senders, with one Redis and one DATA. A router knows
one address of classifiers, so a round robin of ours stands in front of them, as a headless Service does in a cluster.
Of the keepers one is at work and the other ready to take its place.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from pydicom import Dataset

from scintiflow.store import Store
from scintiflow.stream import connect
from tests.drills.crash import oracle
from tests.drills.crash.ledger import Ledger, read_ledger
from tests.drills.crash.pacs import LedgeredPacs
from tests.drills.crash.studies import Study, digest, studies
from tests.drills.fleet import Fleet, Member, running_fleet
from tests.graphs import skeleton_and_heart
from tests.redis_server import redis_server
from tests.stack import CONFIGURATION, send
from tests.waiting import wait_for

SIZES = {"receiver": 2, "keeper": 2, "router": 3, "classifier": 2, "sender": 2}
STUDIES = 200
BEFORE_THE_KILLS = 20  # studies with a result
HELD_BACK = 50  # until everybody is there again, so that those who were killed have something to do
MOST_OWED = 40  # studies that wait for a result; enough for everybody
ASSOCIATIONS = 4
RESULTS_A_STUDY = 4
SEED = 7


class Modality:
    """Sends studies to either receiver in turn, each object until it is answered 0000."""

    def __init__(self, fleet: Fleet, pacs: LedgeredPacs, ledger: Path) -> None:
        self.all_there = threading.Event()
        """Set when those held back may come too."""
        self.hurry = threading.Event()
        """Set when no study waits for the results of others."""
        self._doors = cycle([member.port("dicom") for member in fleet.of("receiver")])
        self._pacs = pacs
        self._ledger = Ledger(ledger)
        self._owed: set[str] = set()
        self._lock = threading.Lock()

    def send(self, number: int, study: Study) -> None:
        """Send one study when not too many wait for their results."""
        if number >= STUDIES - HELD_BACK:
            assert self.all_there.wait(300)
        wait_for(self._may_send, 300)
        for _ in range(study.times):
            for image in study.objects:
                wait_for(partial(self._stored, study, image), 120, every=0.2)
        if study.end == "delivered":
            with self._lock:
                self._owed.add(study.uid)

    def _may_send(self) -> bool:
        with self._lock:
            self._owed = {uid for uid in self._owed if not self._pacs.arrived(uid)}
            return len(self._owed) < MOST_OWED or self.hurry.is_set()

    def _stored(self, study: Study, image: Dataset) -> bool:
        with self._lock:
            door = next(self._doors)
        try:
            (status,) = send(door, [image])
        except (AssertionError, RuntimeError):  # nobody is there, or nobody any more
            status = None
        self._ledger.write(study=study.uid, uid=image.SOPInstanceUID, digest=digest(image), status=status)
        return status == 0


def catch(member: Member, at_work: Callable[[], bool]) -> None:
    """Freeze a process in the middle of its work."""

    def caught() -> bool:
        """It is at work when it is frozen."""
        member.freeze()
        if at_work():
            return True
        member.thaw()
        return False

    wait_for(caught, 60, every=0.005)


def kill_half(fleet: Fleet, modality: Modality, pacs_port: int) -> list[Member]:
    """Kill six of eleven at one moment, each in the middle of its work, and return them.

    Whoever is caught makes the others wait, so the order matters. A router is at work for a few milliseconds at a time,
    but soon all of them wait for a classifier that is frozen; a frozen receiver takes the work from all others.
    """
    receiver, classifier, sender = (fleet.of(name)[0] for name in ("receiver", "classifier", "sender"))
    routers, keeper = fleet.of("router")[:2], active_keeper(fleet)
    chosen = [receiver, classifier, sender, *routers, keeper]
    for member in chosen:
        member.earlier = member.work()
    try:
        catch(sender, lambda: sender.talks(pacs_port))
        catch(classifier, lambda: classifier.talks(classifier.port("classifier")))
        for router in routers:
            catch(router, partial(router.talks, fleet.classifiers))
        modality.hurry.set()
        catch(receiver, lambda: receiver.talks(receiver.port("dicom")))
    finally:
        for member in chosen:
            member.kill()
    return chosen


def active_keeper(fleet: Fleet) -> Member:
    """Return the keeper that is at work, once there is one."""
    keepers = fleet.of("keeper")
    return wait_for(lambda: [one for one in keepers if one.count("scintiflow_keeper_active")])[0]


def test_half_of_a_fleet_may_die_in_mid_stream(tmp_path: Path) -> None:
    """Of 200 studies each ends as it must, each result is at the PACS once, and all that share have done a part."""
    (tmp_path / "redis").mkdir()
    (tmp_path / "data").mkdir()
    sent = list(islice(studies(SEED), STUDIES))
    delivered = [study for study in sent if study.end == "delivered"]
    store, sent_ledger, pacs_ledger = Store(tmp_path / "data"), tmp_path / "sent.jsonl", tmp_path / "pacs.jsonl"
    pacs = LedgeredPacs(pacs_ledger)
    with redis_server(tmp_path / "redis") as url, pacs:
        (tmp_path / "scintiflow.toml").write_text(CONFIGURATION.format(port=pacs.port))
        environment = {
            "SCINTIFLOW_DATA": str(store.data),
            "SCINTIFLOW_CONFIG": str(tmp_path / "scintiflow.toml"),
            "SCINTIFLOW_MODELS": str(skeleton_and_heart(tmp_path / "models")),
            "SCINTIFLOW_REDIS_URL": url,
            "SCINTIFLOW_RECEIVER_LISTENERS": "1",
        }
        redis = connect(url)
        with running_fleet(tmp_path, SIZES, environment) as fleet, ThreadPoolExecutor(ASSOCIATIONS) as lines:
            modality, began = Modality(fleet, pacs, sent_ledger), time.time()
            sending = [lines.submit(modality.send, *each) for each in enumerate(sent)]
            try:
                wait_for(lambda: sum(pacs.arrived(study.uid) for study in delivered) >= BEFORE_THE_KILLS, 120)
                killed = kill_half(fleet, modality, pacs.port)
                for member in killed:
                    fleet.start(member)
                fleet.wait_until_ready(killed)
            finally:
                modality.all_there.set()
            for each in sending:
                each.result(300)
            wait_for(lambda: not list(oracle.honest_ends(store, sent)), 300, every=1)
            wait_for(lambda: not list(oracle.queues_empty(redis)), 60, every=0.5)
            shares = {str(member): (member.earlier, member.work()) for member in fleet.members}
    given, taken = read_ledger(sent_ledger), read_ledger(pacs_ledger)
    violations = [
        *oracle.answers(given),
        *oracle.bytes_kept(store, given),
        *oracle.results(sent, taken),
        *oracle.told_no_lies(store, taken),
    ]
    instances = {entry["uid"] for entry in taken}
    tell(len(delivered), taken[-1]["at"] - began, len(taken) - len(instances), shares)
    assert violations == []
    assert len(instances) == RESULTS_A_STUDY * len(delivered)
    assert len(taken) - len(instances) <= 1, "what the killed sender had in hand, at most, is transmitted again"
    workers = {name: share for name, share in shares.items() if not name.startswith("keeper")}
    for name, (before, since) in workers.items():
        assert before + since > 0, f"{name} did nothing"
        assert since > 0, f"{name} did nothing after the kills"
    assert any(since for name, (_, since) in shares.items() if name not in workers), "no keeper after the kills"


def tell(studies: int, seconds: float, again: int, shares: dict[str, tuple[float, float]]) -> None:
    """Print throughput and balance."""
    print(f"\n{studies} studies delivered in {seconds:.0f} s: {3600 * studies / seconds:.0f} an hour")
    print(f"{again} results were transmitted again after a kill")
    for name, (before, since) in shares.items():
        killed = f", and {before:g} before it was killed" if before else ""
        print(f"{name:13} {since:4g}{killed}")
