"""One keeper is active; the others stand by and take over when its lease runs out."""

import uuid

from redis import Redis

LEASE_SECONDS = 10

_HOLD = """
local holder = redis.call('GET', KEYS[1])
local runs = redis.call('PTTL', KEYS[1]) <= ARGV[2] * 1000 -- longer: the clock was set back since
if holder and holder ~= ARGV[1] and runs then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""

_LET_GO = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Lease:
    """The right to be the active keeper."""

    def __init__(self, redis: Redis) -> None:
        self._name = "scintiflow:keeper:lease"
        self._holder = uuid.uuid4().hex
        self._hold = redis.register_script(_HOLD)
        self._let_go = redis.register_script(_LET_GO)

    def hold(self) -> bool:
        """Take or renew the lease; False while another keeper has it."""
        return bool(self._hold(keys=[self._name], args=[self._holder, LEASE_SECONDS]))

    def let_go(self) -> None:
        """Give the lease back, so that a stand-by need not wait for it to run out."""
        self._let_go(keys=[self._name], args=[self._holder])
