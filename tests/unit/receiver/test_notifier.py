"""What the receiver cannot tell while Redis is away."""

import time
from pathlib import Path

import pytest

from scintiflow.contracts.v1.study_pb2 import ObjectStored
from scintiflow.receiver.backlog import Backlog
from scintiflow.receiver.metrics import UNTOLD
from scintiflow.receiver.notifier import Notifier, Pace
from scintiflow.stream import Stream, connect
from tests.receiver import NOWHERE
from tests.redis_server import RedisServer
from tests.waiting import wait_for

MOST_UNTOLD = 10_000


def test_events_that_cannot_be_told_are_bounded() -> None:
    """However long Redis is away, at most ten thousand events wait in memory, and what came beyond is counted."""
    redis = connect(NOWHERE)
    notifier = Notifier(redis, "listener", Backlog(redis, most=1))
    before = UNTOLD._value.get()
    for number in range(MOST_UNTOLD + 7):
        notifier.stored(ObjectStored(study="", digest=str(number), association="listener/1"))
    assert notifier._waiting.qsize() == MOST_UNTOLD
    assert UNTOLD._value.get() - before == 7


def test_what_could_not_be_told_is_told_in_order_when_redis_is_back(tmp_path: Path) -> None:
    """Events of before, during and between outages are all there, each once, as they happened."""
    server = RedisServer(tmp_path)
    redis = connect(server.url)
    notifier = Notifier(redis, "listener", Backlog(redis, most=1))
    notifier.start()
    tell(notifier, range(1))
    wait_for(notifier._waiting.empty)  # it is in its hands, and cannot be told
    tell(notifier, range(1, 400))
    for first in (400, 700):
        server.start()
        tell(notifier, range(first, first + 300))
        server.kill()
    server.start()
    events = Stream(redis, "events")
    wait_for(lambda: notifier._waiting.empty() and events.size() == 1000)
    notifier.stop(seconds=5)
    keys = [delivery.key for delivery in events.take("keeper", 1000)]
    server.kill()
    assert keys == [f"stored:listener/1:{number}" for number in range(1000)]


def test_the_objects_of_one_study_do_not_wait_for_each_other() -> None:
    """After a quiet moment two objects and the end of their association are told at once, one after another."""
    pace = Pace()
    assert [pace.rest(now) for now in (100.0, 100.01, 100.02)] == [0, 0, 0]
    assert [pace.rest(now) for now in (103.0, 103.01, 103.02)] == [0, 0, 0]


def test_a_flood_is_told_ten_times_a_second() -> None:
    """Rounds that follow each other without end come to wait a tenth of a second each."""
    pace, now = Pace(), 100.0
    for _ in range(100):
        now += pace.rest(now) + 0.001
    assert 9.0 < now - 100.0 < 10.0


def test_what_comes_in_a_flood_is_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many objects come one by one, the rounds to Redis are few."""
    server = RedisServer(tmp_path)
    server.start()
    redis = connect(server.url)
    notifier, rounds = Notifier(redis, "listener", Backlog(redis, most=1)), list[int]()
    publish_all = notifier._events.publish_all
    monkeypatch.setattr(notifier._events, "publish_all", lambda work: rounds.append(len(work)) or publish_all(work))
    notifier.start()
    began = time.monotonic()
    for number in range(200):
        tell(notifier, range(number, number + 1))
        time.sleep(0.003)
    wait_for(lambda: sum(rounds) == 200)
    seconds = time.monotonic() - began
    notifier.stop(seconds=5)
    server.kill()
    assert len(rounds) <= 5 + 10 * seconds


def tell(notifier: Notifier, numbers: range) -> None:
    """Tell of one object for each number."""
    for number in numbers:
        notifier.stored(ObjectStored(study="", digest=str(number), association="listener/1"))
