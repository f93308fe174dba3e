"""What KEDA looks at in Redis is what routers have not done yet."""

import yaml
from redis import Redis

from scintiflow.stream import Stream
from tests.manifests import K8S

STREAM, PENDING, BODIES = (
    trigger["metadata"]
    for trigger in yaml.safe_load((K8S / "components/keda/router.yaml").read_text())["spec"]["triggers"]
)


def test_every_study_counts_until_it_is_read(redis: Redis) -> None:
    """The hash of bodies holds each study from its publishing to its end; in the stream stands what is in hand, and
    one more, so that lag tells whether anything waits and not how much."""
    ready = Stream(redis, "ready")
    for number in range(30):
        ready.publish(f"study{number}", b"", caller=f"PACS{number % 3}")
    assert waiting(redis) == 30
    taken = ready.take("router", 2)
    assert redis.xpending(PENDING["stream"], PENDING["consumerGroup"])["pending"] == len(taken) == 2
    ready.publish("one more", b"")
    assert redis.xlen(STREAM["stream"]) == 3
    assert waiting(redis) == 31
    while taken:
        ready.acknowledge(taken.pop())
        taken = taken or ready.take("router", 2, wait_seconds=0.1)
    assert waiting(redis) == 0


def test_what_is_put_off_keeps_a_router(redis: Redis) -> None:
    """A study that waits for its next try is work too, though nothing of it is in the stream."""
    ready = Stream(redis, "ready")
    ready.publish("study", b"")
    (taken,) = ready.take("router", 1)
    ready.retry_later(taken, 30)
    assert redis.xlen(STREAM["stream"]) == 0
    assert waiting(redis) == 1


def waiting(redis: Redis) -> int:
    """Count as KEDA's `redis` trigger does, which asks a hash for its length."""
    assert redis.type(BODIES["listName"]) in (b"hash", b"none")
    return int(redis.hlen(BODIES["listName"]))
