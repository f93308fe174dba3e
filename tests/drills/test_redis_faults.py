"""Whatever happens to Redis, the receiver takes objects and each study is delivered once: the disk is the truth."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from scintiflow.receiver.status import STATUS
from tests.pacs import Pacs
from tests.redis_server import RedisServer
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.waiting import wait_for

OUT_OF_RESOURCES = 0xA700
QUEUES = ("events", "ready", "results:pacs")
PARTS = ("", ":bodies", ":entries", ":lanes", ":turns", ":later", ":retries", ":failures", ":lane:PACS")

Fault = Callable[[RedisServer], Iterator[None]]


def away(server: RedisServer) -> Iterator[None]:
    """It is down for a while, and comes back with what it had."""
    server.kill()
    yield
    server.start()


def hanging(server: RedisServer) -> Iterator[None]:
    """It takes connections and commands, and answers nothing."""
    server.process.send_signal(signal.SIGSTOP)
    yield
    server.process.send_signal(signal.SIGCONT)


def wiped(server: RedisServer) -> Iterator[None]:
    """Somebody empties it while it runs."""
    Redis.from_url(server.url).flushall()
    yield


def data_deleted(server: RedisServer) -> Iterator[None]:
    """It dies, and its file is gone."""
    server.kill()
    (server.folder / "appendonly.aof").unlink()
    server.start()
    yield


def tail_cut(server: RedisServer) -> Iterator[None]:
    """It dies, and the last thousand bytes of its file never reached the disk."""
    server.kill()
    file = server.folder / "appendonly.aof"
    os.truncate(file, max(0, file.stat().st_size - 1000))
    server.start()
    yield


def groups_lost(server: RedisServer) -> Iterator[None]:
    """The consumer groups go, and with them who holds what."""
    for queue in QUEUES:
        with suppress(RedisError):
            Redis.from_url(server.url).xgroup_destroy(f"scintiflow:{queue}", "workers")
    yield


def other_types(server: RedisServer) -> Iterator[None]:
    """Something else lies behind every name of every queue."""
    for queue in QUEUES:
        for part in PARTS:
            Redis.from_url(server.url).set(f"scintiflow:{queue}{part}", "foreign")
    yield


def read_only(server: RedisServer) -> Iterator[None]:
    """It takes itself for the replica of a server that is not there, as after a failover."""
    Redis.from_url(server.url).replicaof("127.0.0.1", 1)
    yield
    Redis.from_url(server.url).replicaof("NO", "ONE")


def out_of_memory(server: RedisServer) -> Iterator[None]:
    """It may use no more memory and must not forget anything."""
    Redis.from_url(server.url).config_set("maxmemory", 1)
    yield
    Redis.from_url(server.url).config_set("maxmemory", 0)


FAULTS = (away, hanging, wiped, data_deleted, tail_cut, groups_lost, other_types, read_only, out_of_memory)


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    """A PACS; each test says what it answers."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of the installation."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pacs: Pacs, server: RedisServer) -> Iterator[Stack]:
    """An installation with a Redis of its own that others may touch."""
    settings = {"SCINTIFLOW_SENDER_RETRY_FIRST_SECONDS": "0.5", "SCINTIFLOW_SENDER_RETRY_CAP_SECONDS": "1"}
    rules = CONFIGURATION.format(port=pacs.port)
    with running_stack(tmp_path_factory.mktemp("line"), rules, SCINTIFLOW_REDIS_URL=server.url, **settings) as stack:
        yield stack


@pytest.mark.parametrize("fault", FAULTS)
def test_every_study_is_delivered_once(stack: Stack, pacs: Pacs, server: RedisServer, fault: Fault) -> None:
    """One study waits for a retry, one to be read and one arrives during the fault: all come back, unaided."""
    retried, queued, *during = studies = copies(EXAMPLES, 4)
    pacs.answer = lambda uid: OUT_OF_RESOURCES
    assert send(stack.dicom_port, [retried]) == [STATUS["stored"]]
    wait_for(lambda: stack.record(retried.StudyInstanceUID).outcome.state == "delivering", 30)
    with suspended(stack, "router"):
        assert send(stack.dicom_port, [queued]) == [STATUS["stored"]]
        wait_for(lambda: stack.record(queued.StudyInstanceUID).outcome.state == "queued", 30)
        with contextmanager(fault)(server):
            assert send(stack.dicom_port, during) == [STATUS["stored"]] * len(during), "Redis is no reason to refuse"
    pacs.answer = lambda uid: STATUS["stored"]
    assert [stack.outcome(study.StudyInstanceUID, 40).state for study in studies] == ["delivered"] * len(studies)
    assert "parked" not in [event["event"] for one in studies for event in stack.record(one.StudyInstanceUID).events]
    assert len(pacs.received) == len(pacs.objects)
    assert "starts again" not in stack.log.read_text(), "no process ends because of Redis"


@contextmanager
def suspended(stack: Stack, name: str) -> Iterator[None]:
    """Let one process of the line rest while the block runs."""
    (process,) = [one for one in stack.running(f"scintiflow.{name}") if one.ppid() == stack.process.pid]
    process.suspend()
    yield
    process.resume()


def test_a_queue_file_that_is_broken_in_its_middle_loses_no_study(tmp_path: Path, pacs: Pacs) -> None:
    """The embedded Redis comes back, with as much of its file as it can read; the queues are rebuilt from DATA."""
    pacs.answer, (study,) = lambda uid: OUT_OF_RESOURCES, copies(EXAMPLES, 1)
    with running_stack(tmp_path, CONFIGURATION.format(port=pacs.port)) as stack:
        assert send(stack.dicom_port, [study]) == [STATUS["stored"]]
        wait_for(lambda: stack.record(study.StudyInstanceUID).outcome.state == "delivering", 30)
        file = stack.data / "redis" / "appendonly.aof"
        (redis,) = stack.running("redis-server")
        redis.suspend()
        with file.open("r+b") as broken:
            broken.seek(file.stat().st_size // 2)
            broken.write(b"nonsense" * 99)
        redis.kill()
        pacs.answer = lambda uid: STATUS["stored"]
        assert stack.outcome(study.StudyInstanceUID, 60).state == "delivered"
