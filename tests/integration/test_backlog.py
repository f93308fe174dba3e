"""Too much waiting work, as senders see it: put off in time, taken again unaided."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.association import Association
from redis import Redis
from redis.exceptions import RedisError

from scintiflow.dicom.c_store import c_store
from scintiflow.receiver.status import REJECTION, STATUS
from scintiflow.stream import Stream
from tests.builders import one_view, scan
from tests.receiver import Receiver, running_receiver
from tests.stack import send
from tests.waiting import wait_for

MOST = 10


@pytest.fixture
def receiver(tmp_path: Path, redis: Redis) -> Iterator[Receiver]:
    """A receiver that lets ten pieces of work wait."""
    url = f"unix://{redis.connection_pool.connection_kwargs['path']}"
    settings = {"SCINTIFLOW_REDIS_URL": url, "SCINTIFLOW_RECEIVER_MAXIMUM_BACKLOG": str(MOST)}
    with running_receiver(tmp_path, SCINTIFLOW_RECEIVER_LISTENERS="1", **settings) as receiver:
        yield receiver


def call(receiver: Receiver, image: Dataset) -> Association:
    """Ask for an association that could carry `image`."""
    entity = AE("PACS")
    entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    return entity.associate("127.0.0.1", receiver.port, ae_title="SCINTIFLOW")


def measured(receiver: Receiver, waiting: int) -> bool:
    """Tell whether the receiver knows how much waits."""
    return receiver.metric("scintiflow_receiver_backlog") == waiting


def is_full(receiver: Receiver) -> bool:
    """Tell whether the receiver puts new studies off."""
    return receiver.metric("scintiflow_receiver_backlog_full") == 1


def test_new_studies_are_put_off_until_a_fifth_of_the_backlog_is_done(receiver: Receiver, redis: Redis) -> None:
    """A700 and transient rejects from the watermark on, but not for the rest of a study; then all is as before."""
    begun, new = generate_uid(), scan(study_uid=generate_uid())
    association = call(receiver, new)
    assert c_store(association, one_view(180, study_uid=begun)).Status == STATUS["stored"]
    ready = Stream(redis, "ready")
    for number in range(MOST - 1):
        ready.publish(f"{number}", b"")
    wait_for(lambda: is_full(receiver))
    assert c_store(association, new).Status == STATUS["too_much"] == 0xA700
    assert receiver.objects(new) == receiver.unfinished() == []
    assert c_store(association, one_view(0, study_uid=begun)).Status == STATUS["stored"], "half a study helps nobody"
    association.release()
    # none where the library takes a rejection that is there before it looks for its connection
    answer = wait_for(lambda: call(receiver, new).acceptor.primitive)
    assert (answer.result, answer.result_source, answer.diagnostic) == REJECTION["rejected_backlog"] == (2, 3, 1)
    events = Stream(redis, "events")
    wait_for(lambda: events.size() == 3)  # two objects and the end of their association
    for delivery in events.take("keeper", 3):
        events.acknowledge(delivery)
    wait_for(lambda: measured(receiver, MOST - 1))
    assert is_full(receiver), "one piece fewer is no reason to begin again"
    ready.acknowledge(ready.take("router", 1)[0])
    wait_for(lambda: not is_full(receiver))
    assert send(receiver.port, [new]) == [STATUS["stored"]]
    assert receiver.log.read_text().count("new studies are put off") == 1
    assert receiver.log.read_text().count("new studies are taken again") == 1


def test_without_redis_everything_is_taken(receiver: Receiver, redis: Redis) -> None:
    """Where nobody can say how much waits, no sender is put off."""
    for number in range(MOST):
        Stream(redis, "ready").publish(f"{number}", b"")
    wait_for(lambda: is_full(receiver))
    with suppress(RedisError):
        redis.shutdown(nosave=True)
    wait_for(lambda: not is_full(receiver))
    assert send(receiver.port, [scan(study_uid=generate_uid())]) == [STATUS["stored"]]
