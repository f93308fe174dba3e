"""What the receiver cannot tell while Redis is away."""

from pathlib import Path

from scintiflow.contracts.v1.study_pb2 import ObjectStored
from scintiflow.receiver.backlog import Backlog
from scintiflow.receiver.metrics import UNTOLD
from scintiflow.receiver.notifier import Notifier
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


def tell(notifier: Notifier, numbers: range) -> None:
    """Tell of one object for each number."""
    for number in numbers:
        notifier.stored(ObjectStored(study="", digest=str(number), association="listener/1"))
