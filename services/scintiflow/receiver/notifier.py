"""Tells the keeper what arrived, as well as it can: the disk is the truth, and the keeper can always read it again."""

import math
import queue
import threading
import time
from contextlib import suppress

import structlog
from redis import Redis
from redis.exceptions import RedisError

from scintiflow.contracts.v1.study_pb2 import Arrival, AssociationEnded, ObjectStored
from scintiflow.receiver.backlog import Backlog
from scintiflow.receiver.metrics import UNTOLD
from scintiflow.stream import Stream

BEAT_SECONDS = 3.0
ALIVE_SECONDS = 10
_MEASURE_SECONDS = 0.2  # in this time hundreds of objects may come
_MOST_UNTOLD = 10_000
_PAUSE_SECONDS = 1.0
_WAIT_SECONDS = 0.2
_GATHER_SECONDS = 0.1  # between two rounds of many: each costs us as much as an object, and Redis a sync of its file
_ROUNDS_AT_ONCE = 4  # the objects of one study and the end of their association
_MOST_AT_ONCE = 100

log = structlog.get_logger()


def listener_key(owner: str) -> str:
    """Return the Redis key that exists while the listener `owner` lives; its associations are "<owner>/<number>"."""
    return f"scintiflow:listener:{owner}"


class Pace:
    """Lets a few rounds pass at once, and one every so many seconds when they do not end."""

    def __init__(self) -> None:
        self._due = -math.inf

    def rest(self, now: float) -> float:
        """Return how many seconds to wait after a round that ends `now`, on a clock that never goes back."""
        self._due = max(self._due, now - _ROUNDS_AT_ONCE * _GATHER_SECONDS) + _GATHER_SECONDS
        return max(0.0, self._due - now)


class Notifier(threading.Thread):
    """Publishes events in order from its own thread, so that no object ever waits for Redis."""

    def __init__(self, redis: Redis, owner: str, backlog: Backlog) -> None:
        super().__init__(name="notifier", daemon=True)
        self._redis = redis
        self._owner = owner
        self._backlog = backlog
        self._events = Stream(redis, "events")
        self._waiting: queue.Queue[tuple[str, bytes, str]] = queue.Queue(_MOST_UNTOLD)
        self._stopped = threading.Event()
        self._pace = Pace()
        self._beat_due = self._measure_due = 0.0

    def stored(self, event: ObjectStored) -> None:
        """Tell that an object is durable."""
        self._tell(f"stored:{event.association}:{event.digest}", Arrival(stored=event), event.caller)

    def ended(self, event: AssociationEnded) -> None:
        """Tell that an association is over."""
        self._tell(f"ended:{event.association}", Arrival(ended=event), event.caller)

    def stop(self, seconds: float) -> None:
        """Publish what waits, for at most `seconds`, then let the keeper know that this listener is gone."""
        self._stopped.set()
        self.join(seconds)

    def run(self) -> None:
        """Publish and beat until stopped and done; while Redis is away, hold what is next and wait."""
        events: list[tuple[str, bytes, str]] = []
        away = False
        while events or not (self._stopped.is_set() and self._waiting.empty()):
            events = events or self._next()
            try:
                self._beat()
                self._measure()
                if events:
                    self._events.publish_all(events)
                    self._stopped.wait(self._pace.rest(time.monotonic()))
                events, away = [], False
            except RedisError as error:
                if not away:
                    log.warning("Redis is away; objects are kept on disk and told later", reason=type(error).__name__)
                away = True
                self._backlog.lose_sight()
                if self._stopped.wait(_PAUSE_SECONDS):
                    return
        with suppress(RedisError):
            self._redis.delete(listener_key(self._owner))

    def _tell(self, key: str, arrival: Arrival, caller: str) -> None:
        try:
            self._waiting.put_nowait((key, arrival.SerializeToString(), caller))
        except queue.Full:
            UNTOLD.inc()

    def _next(self) -> list[tuple[str, bytes, str]]:
        """Return what waits, or what comes in the next moment."""
        found = []
        with suppress(queue.Empty):
            found.append(self._waiting.get(timeout=_WAIT_SECONDS))
            while len(found) < _MOST_AT_ONCE:
                found.append(self._waiting.get_nowait())
        return found

    def _beat(self) -> None:
        """Let the keeper know that this listener lives."""
        if time.monotonic() >= self._beat_due:
            self._redis.set(listener_key(self._owner), "alive", ex=ALIVE_SECONDS)
            self._beat_due = time.monotonic() + BEAT_SECONDS

    def _measure(self) -> None:
        """Look how much waits."""
        if time.monotonic() >= self._measure_due:
            self._backlog.measure()
            self._measure_due = time.monotonic() + _MEASURE_SECONDS
