"""What the HTTP front does with clients that are many, slow or gone, over real sockets."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.classifier.tensors import Asked, parse
from scintiflow.inference.engine import Answer
from scintiflow.inference.session import Floats
from tests.front import front, in_json, question, status_of, until


class Held:
    """An engine that answers nothing until it is let go, and remembers the first pixel of each scan."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def run(self, canvas: Floats, present: Floats) -> Answer:
        self.entered.set()
        assert self.let_go.wait(60)
        self.seen += canvas[:, 0, 0, 0].tolist()
        nothing = np.zeros((len(canvas), 1), np.float32)
        return Answer(nothing, nothing, np.zeros((len(canvas), 1, 2, 2), np.float32))


def outcomes(outcome: str) -> float:
    """Return how many inferences ended so."""
    labels = {"call": "infer", "outcome": outcome}
    return REGISTRY.get_sample_value("scintiflow_classifier_requests_total", labels) or 0.0


def test_a_burst_of_scans_is_let_in(tmp_path: Path) -> None:
    """Two hundred clients who send a scan each at the same moment are all answered, none put off."""
    engine = Held()

    async def scenario() -> list[int]:
        async with front(tmp_path, engine.run) as served:
            asked = question()
            asking = [asyncio.create_task(served.ask(asked)) for _ in range(200)]
            await until(engine.entered.is_set)
            engine.let_go.set()
            return await asyncio.gather(*asking)

    assert asyncio.run(scenario()) == [200] * 200


def test_a_full_queue_refuses_before_it_reads(tmp_path: Path) -> None:
    """While no more scans may wait, a client hears so after the head of its request, and when to ask again."""
    engine = Held()

    async def scenario() -> None:
        async with front(tmp_path, engine.run, ClassifierSettings(maximum_waiting=1)) as served:
            running = asyncio.create_task(served.ask(question()))
            await until(engine.entered.is_set)
            waiting = asyncio.create_task(served.ask(question()))
            await until(served.is_full)
            head, blank, _ = question().partition(b"\r\n\r\n")
            reader, writer = await served.send(head + blank)
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            writer.close()
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 1" in answer.lower()
            engine.let_go.set()
            assert [await running, await waiting] == [200, 200]
            assert await served.ask(question()) == 200

    asyncio.run(scenario())


def test_a_client_that_stalls_is_sent_away(tmp_path: Path) -> None:
    """One who sends half a scan and no more is told so and loses the connection; others are answered meanwhile."""
    engine = Held()
    engine.let_go.set()

    async def scenario() -> None:
        async with front(tmp_path, engine.run, ClassifierSettings(sending_seconds=1.5)) as served:
            asked = question()
            reader, writer = await served.send(asked[: len(asked) // 2])
            assert await served.ask(asked) == 200
            assert await status_of(reader) == 408
            assert b"within 1.5 seconds" in await asyncio.wait_for(reader.read(), 30)
            writer.close()

    asyncio.run(scenario())


def test_a_client_that_has_gone_is_not_answered(tmp_path: Path) -> None:
    """A scan whose client closed the connection while it waited leaves the queue and never reaches the engine."""
    engine = Held()

    async def scenario() -> None:
        async with front(tmp_path, engine.run, ClassifierSettings(maximum_waiting=1)) as served:
            running = asyncio.create_task(served.ask(question(1)))
            await until(engine.entered.is_set)
            _, writer = await served.send(question(2))
            await until(served.is_full)
            gone = outcomes("gone")
            writer.close()
            await until(lambda: outcomes("gone") == gone + 1)
            assert not served.is_full()
            last = asyncio.create_task(served.ask(question(3)))
            await until(served.is_full)
            engine.let_go.set()
            assert [await running, await last] == [200, 200]

    asyncio.run(scenario())
    assert engine.seen == [1, 3]


def test_a_client_that_goes_early_hurts_nobody(tmp_path: Path) -> None:
    """A connection that is reset while its scan runs, or before it is sent whole, leaves the next one its answer."""
    engine = Held()

    async def scenario() -> None:
        async with front(tmp_path, engine.run) as served:
            invalid = outcomes("invalid")
            _, running = await served.send(question(1))
            await until(engine.entered.is_set)
            _, sending = await served.send(question(2)[:1000])
            for writer in (running, sending):
                writer.transport.abort()
            await until(lambda: outcomes("invalid") == invalid + 1)
            engine.let_go.set()
            assert await served.ask(question(3)) == 200

    asyncio.run(scenario())
    assert engine.seen == [1, 3]


@pytest.mark.parametrize(("ask", "at_once"), [(question, True), (partial(question, count=5), False), (in_json, False)])
def test_what_takes_long_to_check_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[], bytes], at_once: bool
) -> None:
    """JSON, and binary tensors of several scans, are checked in other threads than the one that answers HTTP."""
    parsed_in: list[threading.Thread] = []

    def watched(body: bytes, header_length: int | None) -> Asked:
        parsed_in.append(threading.current_thread())
        return parse(body, header_length)

    monkeypatch.setattr("scintiflow.classifier.inference_protocol.parse", watched)
    engine = Held()
    engine.let_go.set()

    async def scenario() -> int:
        async with front(tmp_path, engine.run) as served:
            return await served.ask(ask())

    assert asyncio.run(scenario()) == 200
    assert [thread is threading.main_thread() for thread in parsed_in] == [at_once]
