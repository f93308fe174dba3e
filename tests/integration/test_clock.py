"""A clock that is set while work waits: no lease, no retry and no age outlasts it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from scintiflow import stream as stream_module
from scintiflow.clock import Clock
from scintiflow.keeper.lease import Lease
from scintiflow.store import Store
from scintiflow.stream import Stream, connect
from tests.clocks import HOUR, YEAR, SetClock
from tests.deliveries import attempt, folder_of, reported, sender_to
from tests.ports import free_port
from tests.redis_server import redis_server

DAY = 86_400.0


@pytest.fixture
def clock(tmp_path: Path) -> SetClock:
    """The clock of this test's Redis."""
    return SetClock(tmp_path)


@pytest.fixture
def redis(tmp_path: Path, clock: SetClock) -> Iterator[Redis]:
    """A Redis that goes by the clock."""
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis", **clock.environment) as url:
        yield connect(url)


def test_a_lease_of_the_dead_does_not_wait_for_the_clock_to_catch_up(
    redis: Redis, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that a dead worker held when the clock was set back is taken over once the leases begin anew."""
    monkeypatch.setattr(stream_module, "LEASE_SECONDS", 0.2)
    queue = Stream(redis, "ready")
    queue.publish("study:r1", b"body")
    queue.take("dead", 1)
    clock.set_ahead(-HOUR)
    time.sleep(0.3)  # the time that a lease lasts
    assert queue.take_over("alive", 1) == []
    queue.start_times_anew()
    time.sleep(0.3)
    assert [delivery.key for delivery in queue.take_over("alive", 1)] == ["study:r1"]


def test_a_retry_does_not_wait_for_the_clock_to_catch_up(redis: Redis) -> None:
    """Work put aside by a clock that was an hour ahead is due once its times begin anew."""
    queue = Stream(redis, "ready")
    queue.publish("study:r1", b"body")
    queue.retry_later(queue.take("a", 1)[0], seconds=HOUR)
    assert queue.release_due() == 0
    queue.start_times_anew()
    assert queue.release_due() == 1


def test_the_place_of_a_dead_keeper_is_free_although_the_clock_was_set_back(redis: Redis, clock: SetClock) -> None:
    """A stand-by does not wait for a lease that lasts longer than any lease does."""
    assert Lease(redis).hold()
    stand_by = Lease(redis)
    assert not stand_by.hold()
    clock.set_ahead(-HOUR)
    assert stand_by.hold()


@pytest.mark.parametrize("seconds", [HOUR + 5, 10 * YEAR, -10 * YEAR])
def test_nothing_is_older_than_the_even_run_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A clock set ahead or back makes no study old: its days count from the step, also for the next keeper."""
    store, now = Store(tmp_path), time.time
    clock = Clock(store)
    assert clock.step() == 0
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    assert clock.step() == pytest.approx(seconds, abs=1)
    assert clock.step() == 0
    assert Clock(store).even_since() == pytest.approx(time.time(), abs=60)


def test_a_start_long_after_the_last_thing_on_disk_is_careful(tmp_path: Path) -> None:
    """A keeper cannot tell a month of rest from a clock set ahead, so ages count from its start."""
    clock, now = Clock(Store(tmp_path)), time.time()
    clock.begin(now - 3 * DAY, longest=7 * DAY)
    assert clock.even_since() == 0
    clock.begin(now - 30 * DAY, longest=7 * DAY)
    assert clock.even_since() == pytest.approx(now, abs=60)


def test_a_destination_is_not_given_up_because_the_clock_jumped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PACS that is away while the clock is set ten years ahead has been away for seconds, not for years."""
    store, now = Store(tmp_path), time.time
    sender, ready = sender_to(store, free_port()), reported(store, folder_of(1))
    monkeypatch.setattr(time, "time", lambda: now() + 10 * YEAR)
    assert "does not accept an association" in attempt(sender, ready)
