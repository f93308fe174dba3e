"""What the receiver cannot tell while Redis is away."""

from scintiflow.contracts.v1.study_pb2 import ObjectStored
from scintiflow.receiver.backlog import Backlog
from scintiflow.receiver.metrics import UNTOLD
from scintiflow.receiver.notifier import Notifier
from scintiflow.stream import connect
from tests.receiver import NOWHERE

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
