"""Whether more work waits than may, so that senders come again later, before anything is damaged.

What counts is what the keeper and the router have not done: results that wait for an absent destination hold nobody
up. The number comes from Redis, by way of the notifier's thread; no object ever waits for it, and where it cannot be
had, everything is taken.
"""

import structlog
from redis import Redis

from scintiflow.receiver.metrics import BACKLOG, BACKLOG_FULL
from scintiflow.stream import Stream

_ENOUGH_DONE = 0.8  # so much of the most may be left when taking begins again, with room for more than a moment


class Backlog:
    """What waits, against the `most` that may; `full` from there until a fifth of it is done."""

    def __init__(self, redis: Redis, most: int) -> None:
        self.full = False
        self._most = most
        self._queues = [Stream(redis, name) for name in ("events", "ready")]

    def measure(self) -> None:
        """Ask Redis how much waits; raises RedisError."""
        waiting = sum(queue.size() for queue in self._queues)
        BACKLOG.set(waiting)
        self._decide(waiting > _ENOUGH_DONE * self._most if self.full else waiting >= self._most, waiting)

    def lose_sight(self) -> None:
        """Redis is away: nobody knows how much waits, and that is no reason to refuse."""
        self._decide(False, None)

    def _decide(self, full: bool, waiting: int | None) -> None:
        if full != self.full:
            event = "too much waits; new studies are put off" if full else "new studies are taken again"
            structlog.get_logger().warning(event, waiting=waiting, most=self._most)
        self.full = full
        BACKLOG_FULL.set(full)
