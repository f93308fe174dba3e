"""Work queues on Redis Streams: publish once, lease, take over, retry later; callers take turns.

One piece of work has a key that is unique in its queue. Its body lives in a hash for as long as the work does;
everything else holds keys only. Another hash says which entry of the stream holds a key. That makes publishing
idempotent (a lost reply and a second call change nothing) and lets a rebuild from disk publish everything again
without duplicates, whatever part of a queue was lost::

    publish --> lane of its caller --in turn--> stream --take--> leased --acknowledge--> gone
                  ^                                                |
                  +------------ release_due ------------- retry_later (sorted set by due time)

Work waits in one lane for each calling AE (sorted sets by time), and one key at a time moves on into the stream, from
the lane whose turn it is: who sends a thousand old studies does not make another one's single study wait for them.
The stream holds what is leased and at most one piece more, because a blocked reader wakes for a stream only.

Nothing here is the truth: every queue can be wiped, and the keeper publishes again what DATA says is missing.
Works on Redis >= 6.2. Streams are never trimmed; an entry goes with XACK and XDEL together.
"""

import random
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from scintiflow.errors import Failed, Refused, Unavailable

BEAT_SECONDS = 3.0
LEASE_SECONDS = 10.0  # three missed beats and a little: then the work is taken over
DELIVERIES_BEFORE_PARKING = 3
_BLOCK_SECONDS = 1.0
_GROUP = "workers"
_FIRST = b"0-0"
_TYPES = (b"stream", b"hash", b"hash", b"hash", b"zset", b"zset", b"hash", b"hash")

_QUEUE = """
local STREAM, BODIES, ENTRIES, LANES, TURNS, LATER, RETRIES, FAILURES = unpack(KEYS)
local GROUP = table.remove(ARGV, 1)

local function lane_of(key)
  return redis.call('HGET', LANES, key) or ''
end

local function members(lane)
  return STREAM .. ':lane:' .. lane
end

local function in_stream(key)
  local entry = redis.call('HGET', ENTRIES, key)
  local found = entry and redis.call('XRANGE', STREAM, entry, entry)[1]
  return found and found[2][2] == key
end

local function in_lane(key)
  return redis.call('ZSCORE', members(lane_of(key)), key)
end

local function line_up(lane)
  local last = redis.call('ZREVRANGE', TURNS, 0, 0, 'WITHSCORES')[2] or 0
  redis.call('ZADD', TURNS, 'NX', last + 1, lane)
end

local function wait_in_lane(key)
  local now = redis.call('TIME')
  redis.call('ZADD', members(lane_of(key)), 'NX', now[1] + now[2] / 1000000, key)
  line_up(lane_of(key))
end

local function advance()
  local lane = redis.call('ZPOPMIN', TURNS)[1]
  while lane do
    local key = redis.call('ZPOPMIN', members(lane))[1]
    if redis.call('EXISTS', members(lane)) == 1 then line_up(lane) end
    if key and redis.call('HEXISTS', BODIES, key) == 1 and not in_stream(key) then
      redis.call('HSET', ENTRIES, key, redis.call('XADD', STREAM, '*', 'key', key))
      return true
    end
    lane = redis.call('ZPOPMIN', TURNS)[1]
  end
  return false
end

local function wake()
  local leased = redis.pcall('XPENDING', STREAM, GROUP)
  if redis.call('XLEN', STREAM) <= (leased.err and 0 or leased[1]) then advance() end
end
"""
"""What the scripts below share; `wake` lets a reader that waits at the stream see what has come to a lane."""

_PUBLISH = """
local key, body, lane = unpack(ARGV)
if in_stream(key) or redis.call('ZSCORE', LATER, key) then return 0 end
local new = not in_lane(key)
if new then
  redis.call('HSET', BODIES, key, body)
  redis.call('HSET', LANES, key, lane)
end
wait_in_lane(key)
wake()
return new and 1 or 0
"""

_TAKE = """
local worker, count = unpack(ARGV)
redis.pcall('XGROUP', 'CREATE', STREAM, GROUP, '0', 'MKSTREAM')

local function lease()
  local answer = redis.call('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', 1, 'STREAMS', STREAM, '>')
  return answer and answer[1][2][1]
end

local taken = {}
while #taken < tonumber(count) do
  local entry = lease() or (advance() and lease())
  if not entry then break end
  table.insert(taken, {entry[1], entry[2][2]})
end
return taken
"""

_FORGET = """
local entry, key = unpack(ARGV)
if redis.call('XACK', STREAM, GROUP, entry) == 0 then return 0 end
redis.call('XDEL', STREAM, entry)
for _, hash in ipairs({BODIES, ENTRIES, LANES, RETRIES, FAILURES}) do redis.call('HDEL', hash, key) end
return 1
"""

_RETRY_LATER = """
local entry, key, due = unpack(ARGV)
if redis.call('XACK', STREAM, GROUP, entry) == 0 then return 0 end
redis.call('XDEL', STREAM, entry)
redis.call('HINCRBY', RETRIES, key, 1)
redis.call('ZADD', LATER, due, key)
return 1
"""

_RELEASE_DUE = """
local due = redis.call('ZRANGEBYSCORE', LATER, '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, key in ipairs(due) do
  redis.call('ZREM', LATER, key)
  wait_in_lane(key)
end
wake()
return #due
"""

_START_TIMES_ANEW = """
local leased = redis.pcall('XPENDING', STREAM, GROUP, '-', '+', 10000)
for _, lease in ipairs(leased.err and {} or leased) do
  redis.call('XCLAIM', STREAM, GROUP, lease[2], 0, lease[1], 'IDLE', 0, 'JUSTID')
end
for _, key in ipairs(redis.call('ZRANGE', LATER, 0, -1)) do redis.call('ZADD', LATER, 0, key) end
"""


_SIZE = """
local size = redis.call('XLEN', STREAM) + redis.call('ZCARD', LATER)
for _, lane in ipairs(redis.call('ZRANGE', TURNS, 0, -1)) do size = size + redis.call('ZCARD', members(lane)) end
return size
"""


@dataclass(frozen=True)
class Delivery:
    """One piece of work, leased to one worker."""

    entry: str
    key: str
    body: bytes
    retries: int
    """How often the world was not ready for it; decides the back-off, never parks it."""
    failures: int
    """How often it failed or took its worker down; parks it at DELIVERIES_BEFORE_PARKING."""


@dataclass(frozen=True)
class Depth:
    """How much work a queue holds."""

    waiting: int
    leased: int
    later: int
    oldest_seconds: float


def connect(url: str) -> Redis:
    """Return a client for `url` (redis://, rediss:// or unix://) that never retries by itself.

    redis-py's own retries turn one XADD into two entries and stretch a time-out to a minute.
    """
    return Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0), health_check_interval=15
    )


class Stream:
    """One queue of work; any number of workers take from it."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.name = name
        self._redis = redis
        self._stream = f"scintiflow:{name}"
        self._bodies = f"{self._stream}:bodies"
        self._lanes = f"{self._stream}:lanes"
        self._turns = f"{self._stream}:turns"
        self._later = f"{self._stream}:later"
        self._retries = f"{self._stream}:retries"
        self._failures = f"{self._stream}:failures"
        names = ("bodies", "entries", "lanes", "turns", "later", "retries", "failures")
        self._keys = [self._stream, *(f"{self._stream}:{name}" for name in names)]
        self._publish = redis.register_script(_QUEUE + _PUBLISH)
        self._take = redis.register_script(_QUEUE + _TAKE)
        self._forget = redis.register_script(_QUEUE + _FORGET)
        self._retry_later = redis.register_script(_QUEUE + _RETRY_LATER)
        self._release_due = redis.register_script(_QUEUE + _RELEASE_DUE)
        self._start_times_anew = redis.register_script(_QUEUE + _START_TIMES_ANEW)
        self._size = redis.register_script(_QUEUE + _SIZE)

    def publish(self, key: str, body: bytes, caller: str = "") -> bool:
        """Queue `body` under `key` among the work of `caller`; False when that key is in the queue already."""
        return bool(self._run(self._publish, key, body, caller))

    def publish_all(self, work: Iterable[tuple[str, bytes, str]]) -> None:
        """Publish (key, body, caller) in this order and in one round; after a failure all may be published again."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, body, caller in work:
                self._publish(keys=self._keys, args=[_GROUP, key, body, caller], client=pipeline)
            pipeline.execute()

    def take(self, worker: str, count: int, wait_seconds: float = _BLOCK_SECONDS) -> list[Delivery]:
        """Lease up to `count` pieces to `worker`, of all callers in turn; wait up to `wait_seconds` for the first."""
        taken = self._run(self._take, worker, count) or self._wait(worker, wait_seconds)
        return self._deliveries(taken)

    def _wait(self, worker: str, seconds: float) -> list[tuple[bytes, bytes]]:
        answer = self._with_group(
            lambda: self._redis.xreadgroup(
                _GROUP, worker, {self._stream: ">"}, count=1, block=max(1, int(seconds * 1000))
            )
        )
        streams = answer.items() if isinstance(answer, dict) else answer
        return [(entry, fields[b"key"]) for _, found in streams for entry, fields in _flat(found)]

    def _run(self, script: Script, *arguments: str | bytes | float) -> Any:
        return script(keys=self._keys, args=[_GROUP, *arguments])

    def take_over(self, worker: str, count: int, held: Container[str] = ()) -> list[Delivery]:
        """Lease entries whose worker has not beaten for LEASE_SECONDS; each counts as one failure.

        Entries in `held` are this worker's own, whose beats an absent Redis has missed; they stay as they are.
        """
        start, found = self._claim(worker, count, _FIRST)
        while not found and start != _FIRST:  # one call looks at ten times `count` leases, idle or not
            start, found = self._claim(worker, count, start)
        claimed = [(entry, fields[b"key"]) for entry, fields in found if entry]  # None: was trimmed
        abandoned = [(entry, key) for entry, key in claimed if entry.decode() not in held]
        return [self.count_failure(delivery) for delivery in self._deliveries(abandoned)]

    def _claim(self, worker: str, count: int, start: bytes) -> tuple[bytes, list[Any]]:
        answer = self._with_group(
            lambda: self._redis.xautoclaim(
                self._stream, _GROUP, worker, min_idle_time=int(LEASE_SECONDS * 1000), start_id=start, count=count
            )
        )
        return answer[0], answer[1]

    def beat(self, worker: str, deliveries: list[Delivery]) -> None:
        """Renew the lease of `deliveries`."""
        if deliveries:
            self._redis.xclaim(
                self._stream, _GROUP, worker, 0, [delivery.entry for delivery in deliveries], justid=True
            )

    def count_failure(self, delivery: Delivery) -> Delivery:
        """Return `delivery` with one failure more."""
        failures = int(self._redis.hincrby(self._failures, delivery.key, 1))
        return Delivery(delivery.entry, delivery.key, delivery.body, delivery.retries, failures)

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget `delivery`: its work is done, or is somebody else's now."""
        self._run(self._forget, delivery.entry, delivery.key)

    def retry_later(self, delivery: Delivery, seconds: float) -> None:
        """Put `delivery` aside; it comes back after `seconds`, give or take a tenth."""
        due = time.time() + seconds * random.uniform(0.9, 1.1)
        self._run(self._retry_later, delivery.entry, delivery.key, due)

    def release_due(self) -> int:
        """Move work whose retry is due back into its lane; return how many."""
        return int(self._run(self._release_due, time.time()))

    def start_times_anew(self) -> None:
        """Let every lease begin now and every retry be due, where the clock that they were written by was set back.

        Who lives renews its lease; what the dead held would else be theirs until the clock has caught up.
        """
        self._run(self._start_times_anew)

    def next_due(self) -> float | None:
        """Return when the next retry is due (Unix seconds), or None."""
        first = cast(list[tuple[bytes, float]], self._redis.zrange(self._later, 0, 0, withscores=True))
        return first[0][1] if first else None

    def depth(self) -> Depth:
        """Return how much work waits, is leased, or waits for a retry, and how old the oldest of it is.

        The age counts from when work came to its lane or, leased, from when it left it.
        """
        leased = self._with_group(lambda: self._redis.xpending(self._stream, _GROUP))["pending"]
        later = int(self._redis.zcard(self._later))
        waiting = max(0, self.size() - leased - later)
        return Depth(waiting=waiting, leased=leased, later=later, oldest_seconds=self._oldest_seconds())

    def size(self) -> int:
        """Return how much work can come of the queue: waiting, leased or put aside; bodies alone count for nothing."""
        return int(self._run(self._size))

    def _oldest_seconds(self) -> float:
        lanes = [lane.decode() for lane in cast(list[bytes], self._redis.zrange(self._turns, 0, -1))]
        heads = [self._redis.zrange(f"{self._stream}:lane:{lane}", 0, 0, withscores=True) for lane in lanes]
        came = [float(score) for head in cast(list[list[tuple[bytes, float]]], heads) for _, score in head]
        first = cast(list[Any], self._redis.xrange(self._stream, count=1))
        came += [int(entry.split(b"-")[0]) / 1000 for entry, _ in first]
        return max(0.0, time.time() - min(came)) if came else 0.0

    def drop_foreign_keys(self) -> None:
        """Remove what is of another type than we write under our names: with it, nothing works for good."""
        self._drop_others(dict(zip(self._keys, _TYPES, strict=True)))
        lanes = {*self._redis.zrange(self._turns, 0, -1), *self._redis.hvals(self._lanes)}
        self._drop_others({f"{self._stream}:lane:{lane.decode()}": b"zset" for lane in cast(set[bytes], lanes)})

    def _drop_others(self, ours: Mapping[str, bytes]) -> None:
        """Remove each key whose type is not the one that `ours` says."""
        with self._redis.pipeline(transaction=False) as pipe:
            for name in ours:
                pipe.type(name)
            found = pipe.execute()
        for (name, own), kind in zip(ours.items(), found, strict=True):
            if kind not in (own, b"none"):
                structlog.get_logger().error("removed a key that is not ours", key=name, type=kind.decode())
                self._redis.delete(name)

    def trouble(self) -> str | None:
        """Return why this queue cannot be worked on now, as a sentence, or None."""
        try:
            self._redis.ping()
        except RedisError as error:
            return f"Redis does not answer ({type(error).__name__})."
        return None

    def _with_group(self, command: Callable[[], Any]) -> Any:
        """Run `command`, making the group first where Redis has lost it (or never had it)."""
        try:
            return command()
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        try:
            self._redis.xgroup_create(self._stream, _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        return command()

    def _deliveries(self, taken: Iterable[tuple[bytes, bytes]]) -> list[Delivery]:
        """Add body and counters; an entry whose work is already gone is dropped from the stream."""
        found = []
        for entry, key in taken:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.hget(self._bodies, key)
                pipe.hget(self._retries, key)
                pipe.hget(self._failures, key)
                body, retries, failures = pipe.execute()
            delivery = Delivery(entry.decode(), key.decode(), body or b"", int(retries or 0), int(failures or 0))
            if body is None:
                self.acknowledge(delivery)
            else:
                found.append(delivery)
        return found


def _flat(found: Any) -> list[Any]:
    """RESP3 nests the entries of one stream once more than RESP2."""
    return found[0] if found and isinstance(found[0], list) and found[0] and isinstance(found[0][0], tuple) else found


def backoff(retries: int, first: float, cap: float) -> float:
    """Return the seconds to wait before retry number `retries` + 1: `first`, doubling, at most `cap`."""
    return float(min(cap, first * 2 ** min(retries, 30)))


@dataclass(frozen=True)
class Work:
    """How one queue is worked on.

    `handle` does the work and may be called again for the same key at any time. It raises Unavailable (retry
    after `wait(retries)` seconds, for ever), Refused (park now) or anything else (counted; parked after
    DELIVERIES_BEFORE_PARKING). `park` writes down why, before the work leaves the queue. `names` says in log lines
    which work it is.
    """

    stream: Stream
    handle: Callable[[Delivery], None]
    park: Callable[[Delivery, str], None]
    wait: Callable[[int], float]
    names: Callable[[Delivery], Mapping[str, str]] = lambda _: {}


def consume(work: Work, worker: str, slots: int, stopped: threading.Event) -> None:
    """Work on a queue with `slots` threads until `stopped`; finish what is in hand, then return.

    Redis may be away at any time: the loop waits for it.
    """
    log = structlog.get_logger()
    leased: dict[str, Delivery] = {}
    free = threading.Semaphore(slots)

    def run(delivery: Delivery) -> None:
        try:
            with _redis_may_be_away(log):
                settle(work, delivery)
        finally:
            leased.pop(delivery.entry, None)
            free.release()

    with _beating(work.stream, worker, leased), ThreadPoolExecutor(slots, thread_name_prefix=work.stream.name) as pool:
        while not stopped.is_set():
            if not free.acquire(timeout=_BLOCK_SECONDS) or stopped.is_set():
                continue
            taken: list[Delivery] = []
            with _redis_may_be_away(log, stopped):
                taken = work.stream.take_over(worker, 1, leased) or work.stream.take(worker, 1)
            if not taken:
                free.release()
            for delivery in taken:
                leased[delivery.entry] = delivery
                pool.submit(run, delivery)


def settle(work: Work, delivery: Delivery) -> None:
    """Handle one delivery and decide what becomes of it."""
    log = structlog.get_logger()
    stream = work.stream
    if delivery.failures >= DELIVERIES_BEFORE_PARKING:
        return _park(work, delivery, f"it took its worker down {delivery.failures} times")
    try:
        work.handle(delivery)
    except Unavailable as error:
        return _put_off(work, delivery, error)
    except Refused as error:
        return _park(work, delivery, str(error))
    except RedisError:
        raise  # still leased: it is taken over when Redis is back
    except Exception as error:
        reason = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: see the log"
        unforeseen = not isinstance(error, Failed)
        log.error("failed", queue=stream.name, reason=reason, exc_info=unforeseen, **work.names(delivery))
        counted = stream.count_failure(delivery)
        if counted.failures >= DELIVERIES_BEFORE_PARKING:
            return _park(work, counted, reason)
        return stream.retry_later(counted, work.wait(counted.failures))
    return stream.acknowledge(delivery)


def _put_off(work: Work, delivery: Delivery, error: Unavailable) -> None:
    seconds, queue = work.wait(delivery.retries), work.stream.name
    facts = {"queue": queue, "seconds": round(seconds, 1), "reason": str(error), **work.names(delivery)}
    structlog.get_logger().info("not now, will retry", **facts)
    work.stream.retry_later(delivery, seconds)


def _park(work: Work, delivery: Delivery, reason: str) -> None:
    """Park the work; where the disk does not take the reason, it comes back.

    What cannot even be parked, as a body that nobody understands, leaves the queue all the same: DATA knows better.
    """
    try:
        work.park(delivery, reason)
    except Unavailable as error:
        return _put_off(work, delivery, error)
    except Exception:
        structlog.get_logger().exception("dropped work that cannot be parked", queue=work.stream.name, reason=reason)
    return work.stream.acknowledge(delivery)


@contextmanager
def _beating(stream: Stream, worker: str, leased: dict[str, Delivery]) -> Iterator[None]:
    """Renew the leases in `leased` every BEAT_SECONDS while the block runs."""
    done = threading.Event()
    log = structlog.get_logger()

    def beat() -> None:
        while not done.wait(BEAT_SECONDS):
            with _redis_may_be_away(log):
                stream.beat(worker, list(leased.values()))

    thread = threading.Thread(target=beat, name=f"beat {stream.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _redis_may_be_away(log: Any, stopped: threading.Event | None = None) -> Iterator[None]:
    """Turn an absent Redis into a log line and, with `stopped`, a short wait."""
    try:
        yield
    except RedisError as error:
        log.warning("waiting for Redis", reason=type(error).__name__)
        if stopped is not None:
            stopped.wait(_BLOCK_SECONDS)
