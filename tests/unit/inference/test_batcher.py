"""The micro-batcher's promises, under random traffic and under trouble."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scintiflow.errors import Refused, Unavailable
from scintiflow.inference.batcher import Batcher, BatchRan
from scintiflow.inference.engine import Answer
from scintiflow.inference.session import Floats
from tests.simulated import Simulated, simulate


class Recorder:
    """An engine that answers each row with its own number, and remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.busy = threading.Lock()
        self.overlapped = False

    def run(self, canvas: Floats, present: Floats) -> Answer:
        self.overlapped |= not self.busy.acquire(blocking=False)
        self.batches.append(canvas.ravel().tolist())
        numbers = canvas.reshape(-1, 1)
        self.busy.release()
        return Answer(numbers, present, numbers)

    @property
    def order(self) -> list[float]:
        return [number for batch in self.batches for number in batch]


class Gate(Recorder):
    """A recorder that holds every batch until it is opened, and refuses rows numbered below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.opened = threading.Event()

    def run(self, canvas: Floats, present: Floats) -> Answer:
        self.entered.set()
        assert self.opened.wait(10)
        if canvas.min() < 0:
            self.batches.append(canvas.ravel().tolist())
            raise Refused("not a number")
        return super().run(canvas, present)


def rows(*numbers: float) -> tuple[Floats, Floats]:
    """Make one request whose rows are these numbers."""
    return np.array(numbers, np.float32).reshape(-1, 1), np.ones((len(numbers), 1), np.float32)


async def entered(gate: Gate) -> None:
    """Wait until the engine holds a batch."""
    assert await asyncio.to_thread(gate.entered.wait, 10)


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=25),
    maximum_rows=st.integers(1, 6),
    maximum_delay=st.sampled_from([0.0, 0.001]),
    given_up=st.sets(st.integers(0, 24), max_size=5),
)
def test_every_request_gets_its_own_answer_once_and_in_order(
    sizes: list[int], maximum_rows: int, maximum_delay: float, given_up: set[int]
) -> None:
    """Whatever the sizes and whoever gives up, each other gets all its own rows, in order; no batch is too large."""
    starts = np.cumsum([0, *sizes]).tolist()
    recorder = Recorder()
    ran: list[BatchRan] = []

    async def scenario() -> list[Answer | BaseException]:
        batcher = Batcher(
            recorder.run,
            maximum_rows=maximum_rows,
            maximum_delay=maximum_delay,
            maximum_waiting=1000,
            on_batch=ran.append,
        )
        async with batcher:
            tasks = [
                asyncio.create_task(batcher.submit(*rows(*range(start, start + size)), within=10))
                for start, size in zip(starts, sizes, strict=False)
            ]
            await asyncio.sleep(0)
            for number in given_up & set(range(len(tasks))):
                tasks[number].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(scenario())
    for number, (start, size, answer) in enumerate(zip(starts, sizes, answers, strict=False)):
        if number in given_up:
            assert isinstance(answer, asyncio.CancelledError)
        else:
            assert isinstance(answer, Answer)
            assert answer.probability.ravel().tolist() == list(range(start, start + size))
    assert recorder.order == sorted(set(recorder.order))
    assert all(len(batch) <= maximum_rows for batch in recorder.batches)
    assert not recorder.overlapped
    assert [one.rows for one in ran] == [len(batch) for batch in recorder.batches]


def test_an_idle_engine_adds_no_delay() -> None:
    """With the default delay of zero a lone request starts at once."""
    ran: list[BatchRan] = []

    async def scenario() -> None:
        async with Batcher(Recorder().run, maximum_rows=8, on_batch=ran.append) as batcher:
            for number in range(20):
                await batcher.submit(*rows(number), within=5)

    asyncio.run(scenario())
    assert min(one.waited[0].seconds for one in ran) < 0.01, "a delay would be in every one of them"
    assert {one.rows for one in ran} == {1}


def test_what_arrives_together_shares_a_batch() -> None:
    """Requests that wait behind a busy engine leave together, as many as fit."""
    gate = Gate()

    async def scenario() -> None:
        async with Batcher(gate.run, maximum_rows=3) as batcher:
            first = asyncio.create_task(batcher.submit(*rows(0), within=10))
            await entered(gate)
            others = [asyncio.create_task(batcher.submit(*rows(number), within=10)) for number in (1, 2, 3, 4)]
            await asyncio.sleep(0)
            gate.opened.set()
            await asyncio.gather(first, *others)

    asyncio.run(scenario())
    assert gate.batches == [[0], [1, 2, 3], [4]]


def test_a_delay_waits_for_company_but_not_for_ever() -> None:
    """With a delay, two requests a moment apart share a batch, and a lone one leaves when its time is up."""
    recorder = Recorder()

    async def scenario() -> None:
        async with Batcher(recorder.run, maximum_rows=2, maximum_delay=20) as patient:
            first = asyncio.create_task(patient.submit(*rows(1), within=60))
            await asyncio.sleep(0.01)
            await patient.submit(*rows(2), within=60)
            await first
        async with Batcher(recorder.run, maximum_rows=2, maximum_delay=0.05) as hasty:
            await hasty.submit(*rows(3), within=60)

    asyncio.run(scenario())
    assert recorder.batches == [[1, 2], [3]]


def test_overload_is_said_at_once() -> None:
    """A request that would make the queue too long is refused immediately; the queue goes on."""
    gate = Gate()

    async def scenario() -> None:
        async with Batcher(gate.run, maximum_waiting=3) as batcher:
            running = asyncio.create_task(batcher.submit(*rows(0), within=10))
            await entered(gate)
            waiting = [asyncio.create_task(batcher.submit(*rows(number), within=10)) for number in (1, 2, 3)]
            await asyncio.sleep(0)
            started = time.monotonic()
            with pytest.raises(Unavailable, match="More than 3 scans"):
                await batcher.submit(*rows(4), within=10)
            assert time.monotonic() - started < 5, "the engine is busy for longer"
            gate.opened.set()
            await asyncio.gather(running, *waiting)
            await batcher.submit(*rows(5), within=10)

    asyncio.run(scenario())
    assert gate.order == [0, 1, 2, 3, 5]


def test_a_request_that_is_out_of_time_never_runs() -> None:
    """A waiting request whose deadline passes gets that answer, and its rows never reach the engine."""
    gate = Gate()

    async def scenario() -> None:
        async with Batcher(gate.run) as batcher:
            running = asyncio.create_task(batcher.submit(*rows(0), within=10))
            await entered(gate)
            with pytest.raises(Unavailable, match="no answer within"):
                await batcher.submit(*rows(1), within=0.02)
            gate.opened.set()
            await running
            await batcher.submit(*rows(2), within=10)

    asyncio.run(scenario())
    assert gate.order == [0, 2]


def test_a_neighbours_fault_is_not_mine() -> None:
    """When one request of a batch fails, it alone gets the error; the others get their answers."""
    gate = Gate()

    async def scenario() -> list[Answer | BaseException]:
        async with Batcher(gate.run, maximum_rows=3) as batcher:
            first = asyncio.create_task(batcher.submit(*rows(0), within=10))
            await entered(gate)
            others = [asyncio.create_task(batcher.submit(*rows(number), within=10)) for number in (1, -2, 3)]
            await asyncio.sleep(0)
            gate.opened.set()
            return await asyncio.gather(first, *others, return_exceptions=True)

    answers = asyncio.run(scenario())
    assert [float(answer.probability[0, 0]) for answer in answers if isinstance(answer, Answer)] == [0, 1, 3]
    assert isinstance(answers[2], Refused)


def test_closing_answers_everybody() -> None:
    """Requests that run or wait when the batcher closes are told to come again; later ones too."""
    gate = Gate()

    async def scenario() -> list[Answer | BaseException]:
        async with Batcher(gate.run) as batcher:
            tasks = [asyncio.create_task(batcher.submit(*rows(number), within=10)) for number in range(3)]
            await entered(gate)
        late = asyncio.create_task(batcher.submit(*rows(9), within=10))
        answers = await asyncio.gather(*tasks, late, return_exceptions=True)
        gate.opened.set()
        return answers

    assert all(isinstance(answer, Unavailable) for answer in asyncio.run(scenario()))


@settings(max_examples=40)
@given(
    kinds=st.lists(st.booleans(), min_size=1, max_size=60),
    maximum_rows=st.integers(1, 5),
    given_up=st.sets(st.integers(0, 59), max_size=6),
)
def test_each_lane_is_served_in_order_and_neither_starves(
    kinds: list[bool], maximum_rows: int, given_up: set[int]
) -> None:
    """Whatever waits, urgent rows go first, and while bulk waits at most three batches in a row hold none of it."""
    gate = Gate()

    async def scenario() -> list[Answer | BaseException]:
        async with Batcher(gate.run, maximum_rows=maximum_rows, maximum_waiting=100) as batcher:
            first = asyncio.create_task(batcher.submit(*rows(1000), within=None))
            await entered(gate)
            tasks = [
                asyncio.create_task(batcher.submit(*rows(number), within=None, bulk=bulk))
                for number, bulk in enumerate(kinds)
            ]
            await asyncio.sleep(0)
            for number in given_up & set(range(len(tasks))):
                tasks[number].cancel()
            gate.opened.set()
            return await asyncio.gather(first, *tasks, return_exceptions=True)

    answers = asyncio.run(scenario())[1:]
    alive = [number for number in range(len(kinds)) if number not in given_up]
    assert all(isinstance(answers[number], Answer) for number in alive)
    bulk = [number for number in alive if kinds[number]]
    batches = gate.batches[1:]
    assert [number for number in gate.order[1:] if number in bulk] == bulk
    assert [number for number in gate.order[1:] if number not in bulk] == [n for n in alive if n not in bulk]
    without = 0
    left = len(bulk)
    for batch in batches:
        of_it = sum(number in bulk for number in batch)
        without = 0 if of_it or not left else without + 1
        left -= of_it
        assert without <= 3
    assert all(len(batch) == maximum_rows for batch in batches[:-1])


def test_what_somebody_waits_for_overtakes_bulk() -> None:
    """A request that comes while a thousand rows of bulk wait is in the very next batch."""
    gate = Gate()

    async def scenario() -> None:
        async with Batcher(gate.run, maximum_rows=4, maximum_waiting=1000) as batcher:
            bulk = [
                asyncio.create_task(batcher.submit(*rows(number), within=None, bulk=True)) for number in range(1000)
            ]
            await entered(gate)
            urgent = asyncio.create_task(batcher.submit(*rows(5000), within=10))
            await asyncio.sleep(0)
            gate.opened.set()
            await asyncio.gather(urgent, *bulk)

    asyncio.run(scenario())
    assert gate.batches[1] == [5000, 4, 5, 6]


def test_one_large_request_of_bulk_keeps_nobody() -> None:
    """While 63 rows of bulk wait that came as one, a row that somebody waits for is in the next batch."""
    gate = Gate()

    async def scenario() -> tuple[Answer, Answer]:
        async with Batcher(gate.run, maximum_rows=4) as batcher:
            bulk = asyncio.create_task(batcher.submit(*rows(*range(63)), within=10, bulk=True))
            await entered(gate)
            urgent = asyncio.create_task(batcher.submit(*rows(5000), within=10))
            await asyncio.sleep(0)
            gate.opened.set()
            return await asyncio.gather(urgent, bulk)

    urgent, bulk = asyncio.run(scenario())
    assert gate.batches[:2] == [[0, 1, 2, 3], [5000]]
    assert urgent.probability.ravel().tolist() == [5000]
    assert bulk.probability.ravel().tolist() == list(range(63))


def test_a_large_request_is_let_in_whole_or_not_at_all() -> None:
    """One of whose rows not all may wait is refused, and none of them runs; one of which all may is let in."""
    recorder = Recorder()

    async def scenario() -> None:
        async with Batcher(recorder.run, maximum_waiting=5) as batcher:
            with pytest.raises(Unavailable, match="More than 5 scans"):
                await batcher.submit(*rows(*range(6)), within=10)
            await batcher.submit(*rows(*range(5)), within=10)

    asyncio.run(scenario())
    assert recorder.batches == [[0], [1], [2], [3], [4]]


def test_what_is_given_up_leaves_its_room() -> None:
    """A large request that is given up while part of it runs leaves the queue, and its place is free at once."""
    gate = Gate()

    async def scenario() -> None:
        async with Batcher(gate.run, maximum_rows=2, maximum_waiting=6) as batcher:
            given_up = asyncio.create_task(batcher.submit(*rows(*range(6)), within=None))
            await entered(gate)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
            next_one = asyncio.create_task(batcher.submit(*rows(*range(10, 16)), within=10))
            await asyncio.sleep(0)
            gate.opened.set()
            await next_one

    asyncio.run(scenario())
    assert gate.order == [0, 1, *range(10, 16)]


def test_who_counts_cannot_stop_the_work() -> None:
    """When whoever hears of batches raises, requests are answered all the same, and so are those after."""
    recorder = Recorder()

    def miscount(ran: BatchRan) -> None:
        raise KeyError(ran.rows)

    async def scenario() -> bool:
        async with Batcher(recorder.run, on_batch=miscount) as batcher:
            for number in range(3):
                await batcher.submit(*rows(number), within=10)
            return batcher.serving

    assert asyncio.run(scenario())
    assert recorder.order == [0, 1, 2]


def test_a_batcher_that_has_ended_says_so() -> None:
    """A fault that nobody foresaw is an answer for those who wait, and from then on it does not count as serving."""

    async def scenario() -> bool:
        without_rows = Answer(*[np.zeros((), np.float32)] * 3)
        async with Batcher(lambda canvas, present: without_rows) as batcher:
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await batcher.submit(*rows(1), within=10)
            return batcher.serving

    assert not asyncio.run(scenario())


def test_large_arrays_are_put_together_where_they_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that share a batch are joined in the engine's thread, not where HTTP is answered."""
    joined_in: list[str] = []
    concatenate = np.concatenate

    def watched(arrays: Sequence[Floats]) -> Floats:
        joined_in.append(threading.current_thread().name)
        return concatenate(arrays)

    monkeypatch.setattr("scintiflow.inference.batcher.np.concatenate", watched)
    gate = Gate()

    async def scenario() -> None:
        async with Batcher(gate.run, maximum_rows=2) as batcher:
            first = asyncio.create_task(batcher.submit(*rows(0), within=10))
            await entered(gate)
            others = [asyncio.create_task(batcher.submit(*rows(number), within=10)) for number in (1, 2)]
            await asyncio.sleep(0)
            gate.opened.set()
            await asyncio.gather(first, *others)

    asyncio.run(scenario())
    assert gate.batches == [[0], [1, 2]]
    assert all(name.startswith("engine") for name in joined_in)
    assert len(joined_in) == 2


def test_lanes_do_not_fill_each_other() -> None:
    """So much bulk as may wait leaves room for what somebody waits for."""
    gate = Gate()

    async def scenario() -> None:
        async with Batcher(gate.run, maximum_waiting=2) as batcher:
            running = asyncio.create_task(batcher.submit(*rows(0), within=None))
            await entered(gate)
            bulk = asyncio.create_task(batcher.submit(*rows(1, 2), within=None, bulk=True))
            await asyncio.sleep(0)
            with pytest.raises(Unavailable, match="More than 2 scans"):
                await batcher.submit(*rows(3), within=None, bulk=True)
            urgent = asyncio.create_task(batcher.submit(*rows(4), within=10))
            await asyncio.sleep(0)
            gate.opened.set()
            await asyncio.gather(running, bulk, urgent)

    asyncio.run(scenario())
    assert gate.batches == [[0], [4], [1], [2]]


@dataclass
class Arrival:
    """A request in a simulation: when it comes, of how many rows, in which lane, and what became of it."""

    at: float
    size: int
    bulk: bool
    refused: bool = False
    answered_at: float = 0.0


ARRIVALS = st.lists(
    st.builds(
        Arrival, at=st.integers(0, 40).map(lambda tenths: tenths / 10), size=st.integers(1, 6), bulk=st.booleans()
    ),
    min_size=1,
    max_size=30,
)


async def come(batcher: Batcher[Answer], arrival: Arrival, number: int) -> None:
    """Ask when it is time, with rows that all bear this number."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(arrival.at - loop.time())
    try:
        await batcher.submit(*rows(*[number] * arrival.size), within=None, bulk=arrival.bulk)
    except Unavailable:
        arrival.refused = True
    arrival.answered_at = loop.time()


@settings(max_examples=100)
@given(
    arrivals=ARRIVALS,
    maximum_rows=st.integers(1, 8),
    maximum_delay=st.sampled_from([0.0, 0.25, 1.0]),
    engine=st.sampled_from([0.0, 0.05, 0.4]),
)
def test_nobody_waits_longer_than_the_delay_for_an_idle_engine(
    arrivals: list[Arrival], maximum_rows: int, maximum_delay: float, engine: float
) -> None:
    """Whatever comes when, the engine never stands idle while a row has waited for longer than `maximum_delay`."""
    recorder, loop = Recorder(), Simulated(engine)

    async def scenario() -> None:
        async with Batcher(
            recorder.run, maximum_rows=maximum_rows, maximum_delay=maximum_delay, maximum_waiting=1000
        ) as batcher:
            await asyncio.gather(*(come(batcher, arrival, number) for number, arrival in enumerate(arrivals)))

    simulate(loop, "scintiflow.inference.batcher", scenario())
    idle_since = 0.0
    for place, started in enumerate(loop.called):
        for number in chain.from_iterable(recorder.batches[place:]):
            assert started <= max(idle_since, arrivals[int(number)].at + maximum_delay) + 1e-6
        idle_since = started + engine


@settings(max_examples=100)
@given(arrivals=ARRIVALS, maximum_rows=st.integers(1, 4), maximum_waiting=st.integers(1, 8))
def test_overload_is_refused_at_once_and_passes(
    arrivals: list[Arrival], maximum_rows: int, maximum_waiting: int
) -> None:
    """Whatever comes when, one is refused only for want of room and in no time; the others are answered, and after them
    there is room for as many as ever."""
    recorder, loop = Recorder(), Simulated(0.5)

    async def scenario() -> None:
        async with Batcher(recorder.run, maximum_rows=maximum_rows, maximum_waiting=maximum_waiting) as batcher:
            await asyncio.gather(*(come(batcher, arrival, number) for number, arrival in enumerate(arrivals)))
            await batcher.submit(*rows(*[-1] * maximum_waiting), within=None)

    simulate(loop, "scintiflow.inference.batcher", scenario())
    for number, arrival in enumerate(arrivals):
        ran = sum(batch.count(number) for batch in recorder.batches)
        assert ran == (0 if arrival.refused else arrival.size)
        if arrival.refused:
            assert arrival.answered_at == pytest.approx(arrival.at)
            assert waiting_beside(arrival, arrivals, recorder, loop) + arrival.size > maximum_waiting


def waiting_beside(one: Arrival, arrivals: list[Arrival], recorder: Recorder, loop: Simulated) -> int:
    """Count at most how many rows waited in its lane when it came."""
    came = sum(
        other.size for other in arrivals if other.bulk == one.bulk and not other.refused and other.at <= one.at + 1e-6
    )
    taken = sum(
        arrivals[int(number)].bulk == one.bulk
        for batch, started in zip(recorder.batches, loop.called, strict=True)
        for number in batch
        if number >= 0 and started < one.at - 1e-6
    )
    return came - taken
