"""When each gathering study is to be decided, which associations still touch it, and who calls.

Kept in Redis, not in timers of a process, so that a keeper that takes over goes on where the last one was.
Lost with Redis, they are set again from disk by the sweep.
"""

from typing import cast

from redis import Redis

_DUE = "scintiflow:keeper:deadlines"
_CALLERS = "scintiflow:keeper:callers"


class Deadlines:
    """Times (Unix seconds) by study folder."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def touched(self, folder: str, association: str, caller: str, due: float) -> None:
        """A new object arrived from `caller` over `association`: decide at `due`."""
        with self._redis.pipeline() as pipe:
            pipe.sadd(_associations(folder), association)
            pipe.expire(_associations(folder), 3600)
            pipe.hset(_CALLERS, folder, caller)
            pipe.zadd(_DUE, {folder: due})
            pipe.execute()

    def released(self, folder: str, association: str) -> None:
        """`association` will bring nothing more."""
        self._redis.srem(_associations(folder), association)

    def caller(self, folder: str) -> str:
        """Return the AE title that the study's last object came from, or nothing where Redis has lost it."""
        return cast(bytes, self._redis.hget(_CALLERS, folder) or b"").decode()

    def is_touched(self, folder: str) -> bool:
        """Tell whether an association that touched the study is open, on a listener that still beats."""
        open_ones = [name.decode() for name in cast(set[bytes], self._redis.smembers(_associations(folder)))]
        return any(self._redis.exists(f"scintiflow:listener:{name.partition('/')[0]}") for name in open_ones)

    def decide_at(self, folder: str, due: float, *, unless_sooner: bool = False) -> None:
        """Set when to decide about a study."""
        self._redis.zadd(_DUE, {folder: due}, lt=unless_sooner)

    def due(self, now: float, most: int) -> list[str]:
        """Return the folders whose time has come, `most` of them at most, who waits longest first."""
        found = cast(list[bytes], self._redis.zrangebyscore(_DUE, "-inf", now, start=0, num=most))
        return [folder.decode() for folder in found]

    def next_due(self) -> float | None:
        """Return the earliest time set, or None."""
        first = cast(list[tuple[bytes, float]], self._redis.zrange(_DUE, 0, 0, withscores=True))
        return first[0][1] if first else None

    def decided(self, folder: str) -> None:
        """Forget the study's deadline, caller and associations."""
        with self._redis.pipeline() as pipe:
            pipe.zrem(_DUE, folder)
            pipe.hdel(_CALLERS, folder)
            pipe.delete(_associations(folder))
            pipe.execute()


def _associations(folder: str) -> str:
    return f"scintiflow:keeper:associations:{folder}"
