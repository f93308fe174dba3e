"""Gathers waiting requests into batches for one engine: first come, first served, each answered exactly once.

There are two lanes. What somebody waits for goes before bulk work, which fills what is left of a batch; but bulk that
was left behind by `_PATIENCE` batches in a row goes first in the next. So under any load each lane has its share: small
requests wait for no more than one batch in four of the large ones, and large ones get that batch.

It learns nothing about requests. One batch runs at a time, in a thread of its own; what arrives meanwhile waits, and
what cannot wait is told so at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Literal, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from scintiflow.errors import Unavailable
from scintiflow.inference.session import Floats

_STOPPING = "The service is stopping; ask again."
_PATIENCE = 3
"""Batches that may leave bulk behind before one begins with it."""


class Rows(Protocol):
    """What an engine says about N rows."""

    def rows(self, first: int, last: int) -> Self:
        """Return rows `first` to `last`, the last one excluded."""


Answered = TypeVar("Answered", bound=Rows)


class Waited(NamedTuple):
    """How long a request had waited for the engine, in which lane."""

    lane: Literal["interactive", "bulk"]
    seconds: float


@dataclass(frozen=True)
class BatchRan:
    """One call of the engine: how many rows, how long each request had waited, and how long it ran, in seconds."""

    rows: int
    waited: tuple[Waited, ...]
    ran: float


@dataclass(eq=False)
class _Request(Generic[Answered]):
    given: tuple[Floats, ...]
    bulk: bool
    answer: asyncio.Future[Answered]
    arrived: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> int:
        return len(self.given[0])


class Batcher(Generic[Answered]):
    """Stands before `run`, which takes arrays of N rows, answers all rows and may block; use it as an async context.

    A batch holds at most `maximum_rows`, except that one larger request runs alone. It leaves when it is full
    or when its oldest request has waited `maximum_delay` seconds: with 0, as soon as the engine is free. At
    most `maximum_waiting` rows wait in each lane. `on_batch` hears of every call that succeeded.
    """

    def __init__(
        self,
        run: Callable[..., Answered],
        *,
        maximum_rows: int = 1,
        maximum_delay: float = 0.0,
        maximum_waiting: int = 64,
        on_batch: Callable[[BatchRan], None] = lambda ran: None,
    ) -> None:
        self._call = run
        self._maximum_rows = maximum_rows
        self._maximum_delay = maximum_delay
        self._maximum_waiting = maximum_waiting
        self._on_batch = on_batch
        self._urgent: deque[_Request[Answered]] = deque()
        self._bulk: deque[_Request[Answered]] = deque()
        self._left_behind = 0
        self._running: list[_Request[Answered]] = []
        self._arrival = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self._serve())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
        for request in (*self._running, *self._urgent, *self._bulk):
            _settle(request, Unavailable(_STOPPING))
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def submit(self, *given: Floats, within: float | None, bulk: bool = False) -> Answered:
        """Answer these rows, or say within `within` seconds why not. Cancelling takes them out of the queue.

        Args:
            given: the arrays that `run` takes, all of one length.
            within: seconds, or None for whoever waits as long as it takes.
            bulk: whether nobody waits for just this.

        Raises:
            Unavailable: too many rows wait, time is up, or the batcher is closed.
            Exception: whatever `run` raised for these rows.
        """
        if self._serving is None:
            raise Unavailable(_STOPPING)
        lane = self._bulk if bulk else self._urgent
        request = _Request[Answered](given, bulk, asyncio.get_running_loop().create_future())
        if _rows(lane) + request.rows > self._maximum_waiting:
            raise Unavailable(f"More than {self._maximum_waiting} scans would wait; send fewer, or try again later.")
        lane.append(request)
        self._arrival.set()
        try:
            async with asyncio.timeout(within):
                return await request.answer
        except TimeoutError as error:
            raise Unavailable(f"There was no answer within {within:g} seconds; try again later.") from error

    async def _serve(self) -> None:
        while True:
            await self._until_due()
            self._running = self._take()
            if self._running:
                await self._run(self._running)

    async def _until_due(self) -> None:
        """Return when a batch should leave: there is a request, and the batch is full or the oldest waited enough."""
        while not (first := [lane[0] for lane in self._lanes()]):
            self._arrival.clear()
            await self._arrival.wait()
        due = min(request.arrived for request in first) + self._maximum_delay
        while sum(map(_rows, self._lanes())) < self._maximum_rows and (left := due - time.monotonic()) > 0:
            self._arrival.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), left)

    def _take(self) -> list[_Request[Answered]]:
        """Take the oldest request of the lane whose turn it is and those after it, in order, while they fit."""
        batch: list[_Request[Answered]] = []
        rows = 0
        for lane in self._lanes():
            while (oldest := _oldest(lane)) and (not batch or rows + oldest.rows <= self._maximum_rows):
                batch.append(lane.popleft())
                rows += oldest.rows
        served = not self._bulk or any(request.bulk for request in batch)
        self._left_behind = 0 if served else self._left_behind + 1
        return batch

    async def _run(self, batch: list[_Request[Answered]]) -> None:
        started = time.monotonic()
        try:
            answer = await self._call_in_thread(batch)
        except Exception as error:
            await self._run_apart(batch, error)
            return
        ran = time.monotonic() - started
        self._hand_out(batch, answer)
        waited = tuple(Waited("bulk" if each.bulk else "interactive", started - each.arrived) for each in batch)
        self._on_batch(BatchRan(sum(each.rows for each in batch), waited, ran))

    async def _run_apart(self, batch: list[_Request[Answered]], error: Exception) -> None:
        """Run the requests of a failed batch each alone, for the fault may be a neighbour's."""
        if len(batch) == 1:
            _settle(batch[0], error)
            return
        for request in batch:
            if not request.answer.done():
                await self._run([request])

    async def _call_in_thread(self, batch: list[_Request[Answered]]) -> Answered:
        given = (_joined(arrays) for arrays in zip(*(request.given for request in batch), strict=True))
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._call, *given)

    @staticmethod
    def _hand_out(batch: list[_Request[Answered]], answer: Answered) -> None:
        first = 0
        for request in batch:
            last = first + request.rows
            _settle(request, answer.rows(first, last))
            first = last

    def _lanes(self) -> list[deque[_Request[Answered]]]:
        """Return the lanes in which somebody waits, the one whose turn it is first."""
        lanes = [self._bulk, self._urgent] if self._left_behind >= _PATIENCE else [self._urgent, self._bulk]
        return [lane for lane in lanes if _oldest(lane)]


def _joined(arrays: tuple[Floats, ...]) -> Floats:
    """Return arrays one after another; a lone one as it is, for a copy takes as long as all else here."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _oldest(lane: deque[_Request[Answered]]) -> _Request[Answered] | None:
    """Return the request at the head, after dropping those that nobody waits for any more."""
    while lane and lane[0].answer.done():
        lane.popleft()
    return lane[0] if lane else None


def _rows(lane: deque[_Request[Answered]]) -> int:
    return sum(request.rows for request in lane if not request.answer.done())


def _settle(request: _Request[Answered], outcome: Answered | Exception) -> None:
    """Answer a request unless it was answered or given up."""
    if request.answer.done():
        return
    if isinstance(outcome, Exception):
        request.answer.set_exception(outcome)
    else:
        request.answer.set_result(outcome)
