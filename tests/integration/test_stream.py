"""Queues, against a real Redis."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import ResponseError

from scintiflow import stream as stream_module
from scintiflow.errors import Failed, Refused, Unavailable
from scintiflow.stream import Delivery, Stream, Work, backoff, consume, settle
from tests.waiting import wait_for


@pytest.fixture
def queue(redis: Redis) -> Stream:
    """An empty queue."""
    return Stream(redis, "ready")


def no_park(delivery: Delivery, reason: str) -> None:
    """Fail the test: nothing here is to be parked."""
    raise AssertionError(f"parked: {reason}")


def test_publishing_twice_queues_once(queue: Stream) -> None:
    """The same key published twice, as after a lost reply, is one piece of work."""
    assert queue.publish("study:r1", b"body")
    assert not queue.publish("study:r1", b"body")
    assert [delivery.key for delivery in queue.take("a", 10)] == ["study:r1"]
    assert queue.take("a", 10, wait_seconds=0.01) == []


def test_acknowledged_work_may_be_published_again(queue: Stream) -> None:
    """Once done, the same work can be queued anew, for a rebuild or a replay."""
    queue.publish("study:r1", b"body")
    queue.acknowledge(queue.take("a", 1)[0])
    assert queue.depth().waiting == queue.depth().leased == 0
    assert queue.publish("study:r1", b"again")
    assert queue.take("a", 1)[0].body == b"again"


def test_leased_work_is_taken_over_only_when_its_worker_is_silent(
    queue: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead worker's work goes to another one after three missed beats, and counts as a failure."""
    monkeypatch.setattr(stream_module, "LEASE_SECONDS", 2.0)
    queue.publish("study:r1", b"body")
    held = queue.take("dead", 1)
    queue.beat("dead", held)
    assert queue.take_over("alive", 1) == []
    taken = wait_for(lambda: queue.take_over("alive", 1))
    assert [(delivery.key, delivery.failures) for delivery in taken] == [("study:r1", 1)]


def test_work_of_the_dead_is_found_behind_any_number_of_live_leases(
    queue: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many workers that beat do not hide one that does not."""
    monkeypatch.setattr(stream_module, "LEASE_SECONDS", 2.0)
    for number in range(30):
        queue.publish(f"{number}", b"")
    alive, dead = queue.take("alive", 29), queue.take("dead", 1)

    def found() -> list[Delivery]:
        queue.beat("alive", alive)
        return queue.take_over("other", 1)

    assert [delivery.key for delivery in wait_for(found)] == [dead[0].key]


def test_a_worker_does_not_take_over_what_it_holds(queue: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats missed while Redis was away do not make a worker do its own work twice."""
    monkeypatch.setattr(stream_module, "LEASE_SECONDS", 0.05)
    queue.publish("study:r1", b"body")
    held = queue.take("a", 1)[0]
    wait_for(lambda: queue.depth().oldest_seconds > 0.1)
    assert queue.take_over("a", 1, held={held.entry}) == []


def test_a_retry_comes_back_when_due_and_not_before(queue: Stream) -> None:
    """Work put aside is out of the stream until its time, and then carries its number of retries."""
    queue.publish("study:r1", b"body")
    queue.retry_later(queue.take("a", 1)[0], seconds=2)
    assert queue.release_due() == 0
    assert queue.depth().later == 1
    assert not queue.publish("study:r1", b"body"), "work that waits for a retry is still queued"
    wait_for(queue.release_due)
    assert [delivery.retries for delivery in queue.take("a", 1)] == [1]


def test_a_lost_group_is_made_again_from_the_start(queue: Stream, redis: Redis) -> None:
    """Losing the consumer group loses no entry."""
    queue.publish("study:r1", b"body")
    queue.take("a", 1)
    redis.xgroup_destroy("scintiflow:ready", "workers")
    assert [delivery.key for delivery in queue.take("b", 1)] == ["study:r1"]


PARTS = ("", ":later", ":bodies", ":entries", ":lanes", ":turns", ":lane:PACS")


@pytest.mark.parametrize("lost", [f"scintiflow:ready{part}" for part in PARTS])
def test_whatever_part_of_a_queue_is_lost_it_can_be_published_again(queue: Stream, redis: Redis, lost: str) -> None:
    """No remains of a queue make work look queued that nobody can take, and nothing is taken twice."""
    keys = ("later", "leased", "next", "waiting")
    for key in keys:
        queue.publish(key, b"body", "PACS")
    queue.retry_later(queue.take("a", 2)[0], seconds=0)
    queue.publish("next", b"body", "PACS")  # moves on, to where the next reader finds it
    redis.delete(lost)
    redis.xgroup_destroy("scintiflow:ready", "workers") if lost != "scintiflow:ready" else None

    def all_come() -> bool:
        """Every key is taken, with its body."""
        for key in set(keys) - {delivery.key for delivery in taken}:
            queue.publish(key, b"body", "PACS")
        queue.release_due()
        for delivery in queue.take("b", 1, wait_seconds=0.01):
            taken.append(delivery)
            queue.acknowledge(delivery)
        return {delivery.key for delivery in taken} == set(keys)

    taken: list[Delivery] = []
    wait_for(all_come)
    assert [delivery.body for delivery in taken] == [b"body"] * len(keys)


@pytest.mark.parametrize("lost", ["scintiflow:events", "scintiflow:events:lane:PACS", "scintiflow:events:turns"])
def test_what_redis_lost_counts_as_waiting_no_more(redis: Redis, lost: str) -> None:
    """Work that nobody can take and nobody publishes again puts no sender off for ever."""
    queue = Stream(redis, "events")
    for key in ("stored", "ended", "stored too"):
        queue.publish(key, b"body", "PACS")
    assert queue.size() == 3
    redis.delete(lost)
    for delivery in queue.take("keeper", 3, wait_seconds=0.01):
        queue.acknowledge(delivery)
    assert queue.size() == queue.depth().waiting == 0


def test_what_is_not_ours_behind_a_caller_is_removed(queue: Stream, redis: Redis) -> None:
    """A key of another type where a caller's work waits stops that caller, and everybody, only until it is removed."""
    redis.set("scintiflow:ready:lane:PACS", "foreign")
    with pytest.raises(ResponseError):
        queue.publish("study:r1", b"body", "PACS")
    queue.drop_foreign_keys()
    assert queue.publish("study:r1", b"body", "PACS")
    queue.drop_foreign_keys()
    assert [delivery.key for delivery in queue.take("a", 1)] == ["study:r1"]


def test_a_trimmed_stream_stops_nobody(queue: Stream, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that somebody trimmed while they were leased are passed over, and their work can be queued again."""
    monkeypatch.setattr(stream_module, "LEASE_SECONDS", 0.05)
    queue.publish("study:r1", b"body")
    queue.take("dead", 1)
    redis.xtrim("scintiflow:ready", maxlen=0, approximate=False)
    time.sleep(0.1)
    assert queue.take_over("alive", 1) == []
    assert queue.publish("study:r1", b"body")
    assert [delivery.key for delivery in queue.take("alive", 1)] == ["study:r1"]


def test_unavailable_is_retried_without_counting(queue: Stream) -> None:
    """A world that is not ready never parks work, however often it is tried."""

    def handle(delivery: Delivery) -> None:
        raise Unavailable("The classifier does not answer.")

    work = Work(queue, handle, no_park, lambda retries: 0.0)
    queue.publish("study:r1", b"body")
    for _ in range(10):
        settle(work, queue.take("a", 1)[0])
        assert queue.release_due() == 1
    delivery = queue.take("a", 1)[0]
    assert (delivery.retries, delivery.failures) == (10, 0)


def test_refused_is_parked_at_once_with_its_sentence(queue: Stream) -> None:
    """What can never work is parked on the first try."""
    parked: list[str] = []

    def handle(delivery: Delivery) -> None:
        raise Refused("Its pixel data cannot be decoded.")

    queue.publish("study:r1", b"body")
    settle(Work(queue, handle, lambda _, reason: parked.append(reason), lambda _: 0.0), queue.take("a", 1)[0])
    assert parked == ["Its pixel data cannot be decoded."]
    assert queue.depth().leased == queue.depth().later == 0


def test_parking_waits_for_a_disk_that_takes_the_reason(queue: Stream) -> None:
    """Work whose parking cannot be written down comes back, and is parked with its own reason."""
    parked: list[str] = []
    full = True

    def handle(delivery: Delivery) -> None:
        raise Refused("Its pixel data cannot be decoded.")

    def park(delivery: Delivery, reason: str) -> None:
        if full:
            raise Unavailable("The disk under DATA failed (No space left on device).")
        parked.append(reason)

    work = Work(queue, handle, park, lambda _: 0.0)
    queue.publish("study:r1", b"body")
    settle(work, queue.take("a", 1)[0])
    full = False
    assert queue.release_due() == 1
    settle(work, queue.take("a", 1)[0])
    assert parked == ["Its pixel data cannot be decoded."]


def test_work_that_cannot_even_be_parked_makes_way_for_the_right_one(queue: Stream) -> None:
    """A body that nobody understands leaves the queue after three tries, so that the keeper can publish it again."""

    def misunderstand(delivery: Delivery, reason: str = "") -> None:
        raise ValueError(delivery.body)

    work = Work(queue, misunderstand, misunderstand, lambda _: 0.0)
    queue.publish("study:r1", b"foreign")
    for _ in range(3):
        settle(work, queue.take("a", 1)[0])
        queue.release_due()
    assert queue.publish("study:r1", b"body")


@pytest.mark.parametrize("error", [Failed("The PACS refuses it."), ZeroDivisionError()])
def test_failures_are_parked_after_three(queue: Stream, error: Exception) -> None:
    """A failure that may pass gets three tries in all, then a person."""
    parked: list[str] = []
    tries: list[int] = []

    def handle(delivery: Delivery) -> None:
        tries.append(delivery.failures)
        raise error

    work = Work(queue, handle, lambda _, reason: parked.append(reason), lambda _: 0.0)
    queue.publish("study:r1", b"body")
    while not parked:
        settle(work, queue.take("a", 1)[0])
        queue.release_due()
    assert tries == [0, 1, 2]


def test_poison_is_parked_when_it_has_taken_three_workers_down(queue: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work whose workers die is parked at the third death, without being handed to a fourth."""
    monkeypatch.setattr(stream_module, "LEASE_SECONDS", 0.05)
    parked: list[str] = []
    handled: list[Delivery] = []
    work = Work(queue, handled.append, lambda _, reason: parked.append(reason), lambda _: 0.0)
    queue.publish("study:r1", b"body")
    queue.take("dies", 1)
    for _ in range(3):
        taken = wait_for(lambda: queue.take_over("next", 1))[0]
    settle(work, taken)
    assert parked == ["it took its worker down 3 times"]
    assert handled == []


def test_consume_works_until_stopped_and_finishes_what_it_holds(queue: Stream) -> None:
    """A stop lets work in hand finish and leaves the rest queued."""
    started, finish, stopped = threading.Event(), threading.Event(), threading.Event()
    done: list[str] = []

    def handle(delivery: Delivery) -> None:
        started.set()
        finish.wait(30)
        done.append(delivery.key)

    work = Work(queue, handle, no_park, lambda _: 0.0)
    queue.publish("first", b"")
    queue.publish("second", b"")
    thread = threading.Thread(target=consume, args=(work, "a", 1, stopped))
    thread.start()
    assert started.wait(30)
    stopped.set()
    finish.set()
    thread.join(30)
    assert not thread.is_alive()
    assert done == ["first"]
    assert queue.depth().waiting == 1


def test_a_worker_that_stops_keeps_its_lease_until_it_has_finished(
    queue: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that outlasts the stop of its worker is not taken over, nor counted as a failure, meanwhile."""
    monkeypatch.setattr(stream_module, "LEASE_SECONDS", 1.5)
    monkeypatch.setattr(stream_module, "BEAT_SECONDS", 0.05)
    started, finish, stopped = threading.Event(), threading.Event(), threading.Event()

    def handle(delivery: Delivery) -> None:
        started.set()
        finish.wait(30)

    queue.publish("study:r1", b"")
    thread = threading.Thread(target=consume, args=(Work(queue, handle, no_park, lambda _: 0.0), "a", 1, stopped))
    thread.start()
    assert started.wait(30)
    stopped.set()
    with pytest.raises(AssertionError, match="not within"):
        wait_for(lambda: queue.take_over("b", 1), seconds=3)
    finish.set()
    thread.join(30)
    assert queue.depth().leased == 0


def test_consume_waits_for_a_redis_that_is_not_there_yet(tmp_path: object) -> None:
    """A worker started before Redis waits for it instead of ending."""
    stopped = threading.Event()
    queue = Stream(stream_module.connect("unix:///nonexistent/redis.sock"), "ready")
    work = Work(queue, lambda _: None, no_park, lambda _: 0.0)
    thread = threading.Thread(target=consume, args=(work, "a", 1, stopped))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    stopped.set()
    thread.join(30)
    assert not thread.is_alive()


def test_backoff_doubles_up_to_its_cap() -> None:
    """Waits double from the first to the cap, also after very many retries."""
    assert [backoff(retries, first=30, cap=600) for retries in (0, 1, 2, 5, 500)] == [30, 60, 120, 600, 600]


def test_depth_tells_the_age_of_the_oldest_entry(queue: Stream) -> None:
    """The oldest age grows while work waits, and is nought when nothing does."""
    assert queue.depth().oldest_seconds == 0
    began = time.time()
    queue.publish("study:r1", b"")
    wait_for(lambda: queue.depth().oldest_seconds >= 0.1)
    assert queue.depth().oldest_seconds <= time.time() - began + 0.1


def test_a_worker_that_waits_is_woken_by_any_caller(queue: Stream) -> None:
    """Work is handed over the moment it comes, whoever sent it, and however many workers wait."""
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(queue.take, f"worker {number}", 1, 10.0) for number in range(3)]
        wait_for(lambda: len(queue._redis.client_list()) > 3)
        for caller in "ABC":
            queue.publish(caller, b"", caller)
        taken = [delivery.key for future in waiting for delivery in future.result(5)]
    assert sorted(taken) == ["A", "B", "C"]


def test_a_retry_stands_in_line_with_its_own_caller(queue: Stream) -> None:
    """Work that comes back after an outage passes nobody of another caller."""
    for number in range(4):
        queue.publish(f"many {number}", b"", "MANY")
    for delivery in queue.take("a", 4):
        queue.retry_later(delivery, seconds=0)
    wait_for(queue.release_due)
    queue.publish("one", b"", "ONE")
    assert "one" in [delivery.key for delivery in queue.take("a", 3)]


@given(st.lists(st.sampled_from(["A", "B", "C", "D", "again", "take"]), max_size=60))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_callers_take_turns(queue: Stream, redis: Redis, steps: list[str]) -> None:
    """Whatever comes when, a caller's next piece waits for at most two of any other caller's; none is lost or doubled.

    Two, because one may have moved on already for a worker that waits.
    """
    redis.flushall()
    taken: list[str] = []
    came: dict[str, int] = {}  # key -> how many had been taken then
    for step in steps:
        if step == "take":
            taken += [delivery.key for delivery in queue.take("a", 1, wait_seconds=0.001)]
        elif step == "again":
            assert not any(queue.publish(key, b"", key[0]) for key in came)
        else:
            key = f"{step}{len(came)}"
            came[key] = len(taken)
            assert queue.publish(key, b"", step)
    taken += [delivery.key for delivery in queue.take("a", 100, wait_seconds=0.001)]
    assert sorted(taken) == sorted(came)
    for place, key in enumerate(taken):
        earlier = [at for at, other in enumerate(taken[:place]) if other[0] == key[0]]
        stood_first = max([came[key], *(at + 1 for at in earlier)])
        passed = Counter(other[0] for other in taken[stood_first:place])
        assert all(count <= 2 for count in passed.values()), (key, taken)
