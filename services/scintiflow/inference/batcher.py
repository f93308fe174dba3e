"""Gathers waiting requests into batches for one engine: first come, first served, each answered exactly once.

It learns nothing and remembers nothing between batches. One batch runs at a time, in a thread of its own;
what arrives meanwhile waits, and what cannot wait is told so at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from scintiflow.errors import Unavailable
from scintiflow.inference.engine import Answer, Floats


@dataclass(frozen=True)
class BatchRan:
    """One call of the engine: how many rows, how long each request had waited and how long it ran, in seconds."""

    rows: int
    waited: tuple[float, ...]
    ran: float


@dataclass(eq=False)
class _Request:
    canvas: Floats
    present: Floats
    answer: asyncio.Future[Answer]
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Stands before `run`, which answers N rows and may block; use it as an async context.

    A batch holds at most `maximum_rows`, except that one larger request runs alone. It leaves when it is full
    or when its oldest request has waited `maximum_delay` seconds: with 0, as soon as the engine is free. At
    most `maximum_waiting` rows wait. `on_batch` hears of every call that succeeded.
    """

    def __init__(
        self,
        run: Callable[[Floats, Floats], Answer],
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
        self._waiting: deque[_Request] = deque()
        self._running: list[_Request] = []
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
        for request in (*self._running, *self._waiting):
            _settle(request, Unavailable("The classifier is stopping; send the scan again."))
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def submit(self, canvas: Floats, present: Floats, *, within: float) -> Answer:
        """Answer these rows, or say within `within` seconds why not. Cancelling takes them out of the queue.

        Raises:
            Unavailable: too many rows wait, time is up, or the batcher is closed.
            Exception: whatever `run` raised for these rows.
        """
        if self._serving is None:
            raise Unavailable("The classifier is stopping; send the scan again.")
        if self._rows_waiting() + len(canvas) > self._maximum_waiting:
            raise Unavailable(f"More than {self._maximum_waiting} scans would wait; send fewer, or try again later.")
        request = _Request(canvas, present, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
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
        while not (oldest := self._oldest()):
            self._arrival.clear()
            await self._arrival.wait()
        due = oldest.arrived + self._maximum_delay
        while self._rows_waiting() < self._maximum_rows and (left := due - time.monotonic()) > 0:
            self._arrival.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), left)

    def _take(self) -> list[_Request]:
        """Take the oldest request and those after it, in order, while they fit."""
        batch: list[_Request] = []
        rows = 0
        while (oldest := self._oldest()) and (not batch or rows + len(oldest.canvas) <= self._maximum_rows):
            batch.append(self._waiting.popleft())
            rows += len(oldest.canvas)
        return batch

    async def _run(self, batch: list[_Request]) -> None:
        started = time.monotonic()
        try:
            answer = await self._call_in_thread(batch)
        except Exception as error:
            await self._run_apart(batch, error)
            return
        ran = time.monotonic() - started
        self._hand_out(batch, answer)
        self._on_batch(BatchRan(len(answer.probability), tuple(started - each.arrived for each in batch), ran))

    async def _run_apart(self, batch: list[_Request], error: Exception) -> None:
        """Run the requests of a failed batch each alone, for the fault may be a neighbour's."""
        if len(batch) == 1:
            _settle(batch[0], error)
            return
        for request in batch:
            if not request.answer.done():
                await self._run([request])

    async def _call_in_thread(self, batch: list[_Request]) -> Answer:
        canvas = np.concatenate([request.canvas for request in batch])
        present = np.concatenate([request.present for request in batch])
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._call, canvas, present)

    @staticmethod
    def _hand_out(batch: list[_Request], answer: Answer) -> None:
        first = 0
        for request in batch:
            last = first + len(request.canvas)
            _settle(request, answer.rows(first, last))
            first = last

    def _oldest(self) -> _Request | None:
        """Return the request at the head, after dropping those that nobody waits for any more."""
        while self._waiting and self._waiting[0].answer.done():
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def _rows_waiting(self) -> int:
        return sum(len(request.canvas) for request in self._waiting if not request.answer.done())


def _settle(request: _Request, outcome: Answer | Exception) -> None:
    """Answer a request unless it was answered or given up."""
    if request.answer.done():
        return
    if isinstance(outcome, Exception):
        request.answer.set_exception(outcome)
    else:
        request.answer.set_result(outcome)
