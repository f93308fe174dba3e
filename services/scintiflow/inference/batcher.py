"""Gathers waiting requests into batches for one engine: first come, first served, each answered exactly once.

There are two lanes. What somebody waits for goes before bulk work, which fills what is left of a batch; but bulk that
was left behind by `_PATIENCE` batches in a row goes first in the next. So under any load each lane has its share: small
requests wait for no more than one batch in four of the large ones, and large ones get that batch.

A request is let in whole or not at all. One of more rows than a batch holds waits in parts, so that it keeps nobody
longer than others do, and is answered when all of it is.

It learns nothing about requests. One batch runs at a time, in a thread of its own; what arrives meanwhile waits, and
what cannot wait is told so at once.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Literal, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import structlog

from scintiflow.errors import Unavailable
from scintiflow.inference.session import Floats

_STOPPING = "The service is stopping; ask again."
_PATIENCE = 3
"""Batches that may leave bulk behind before one begins with it."""


class Rows(Protocol):
    """What an engine says about N rows."""

    def rows(self, first: int, last: int) -> Self:
        """Return rows `first` to `last`, the last one excluded."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of several, one after another."""


Answered = TypeVar("Answered", bound=Rows)


class Waited(NamedTuple):
    """How long a request, or a part of one, had waited for the engine, in which lane."""

    lane: Literal["interactive", "bulk"]
    seconds: float


@dataclass(frozen=True)
class BatchRan:
    """One call of the engine: how many rows, how long they had waited, and how long it ran, in seconds."""

    rows: int
    waited: tuple[Waited, ...]
    ran: float


@dataclass(eq=False)
class _Part(Generic[Answered]):
    """Rows that run together: a request, or as much of a large one as a batch holds."""

    given: tuple[Floats, ...]
    bulk: bool
    answer: asyncio.Future[Answered]
    arrived: float

    @property
    def rows(self) -> int:
        return len(self.given[0])


class _Lane(Generic[Answered]):
    """What waits, first come, first served; whoever gives up is out of it at once."""

    def __init__(self) -> None:
        self._parts: OrderedDict[_Part[Answered], None] = OrderedDict()
        self.rows = 0

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __iter__(self) -> Iterator[_Part[Answered]]:
        return iter(self._parts)

    @property
    def oldest(self) -> _Part[Answered]:
        return next(iter(self))

    def add(self, part: _Part[Answered]) -> None:
        self._parts[part] = None
        self.rows += part.rows

    def discard(self, part: _Part[Answered]) -> None:
        if part in self._parts:
            del self._parts[part]
            self.rows -= part.rows

    def take(self) -> _Part[Answered]:
        part, _ = self._parts.popitem(last=False)
        self.rows -= part.rows
        return part


class Batcher(Generic[Answered]):
    """Stands before `run`, which takes arrays of N rows, answers all rows and may block; use it as an async context.

    A batch holds at most `maximum_rows`. It leaves when it is full or when its oldest request has waited
    `maximum_delay` seconds: with 0, as soon as the engine is free. At most `maximum_waiting` rows wait in each lane.
    `on_batch` hears of every call that succeeded; what it raises is logged, and hurts nobody.
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
        self._urgent: _Lane[Answered] = _Lane()
        self._bulk: _Lane[Answered] = _Lane()
        self._left_behind = 0
        self._running: list[_Part[Answered]] = []
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
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def serving(self) -> bool:
        """Whether it answers: not before it is entered, and not after whatever ended it."""
        return self._serving is not None and not self._serving.done()

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits: what comes now starts at once."""
        return not (self._running or self._urgent or self._bulk)

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
        if not self.serving:
            raise Unavailable(_STOPPING)
        lane = self._bulk if bulk else self._urgent
        self._require_room(lane, len(given[0]))
        parts = self._parts(given, bulk)
        for part in parts:
            lane.add(part)
        self._arrival.set()
        try:
            async with asyncio.timeout(within):
                return await _whole(parts)
        except TimeoutError as error:
            raise Unavailable(f"There was no answer within {within:g} seconds; try again later.") from error
        finally:
            for part in parts:
                lane.discard(part)

    def require_room(self) -> None:
        """Say of a request whose lane is not known yet that it cannot wait: with the urgent lane full, none is begun.

        Raises:
            Unavailable: it could not.
        """
        self._require_room(self._urgent, 1)

    def _require_room(self, lane: _Lane[Answered], rows: int) -> None:
        if lane.rows + rows > self._maximum_waiting:
            raise Unavailable(f"More than {self._maximum_waiting} scans would wait; send fewer, or try again later.")

    def _parts(self, given: tuple[Floats, ...], bulk: bool) -> list[_Part[Answered]]:
        arrived, future = time.monotonic(), asyncio.get_running_loop().create_future
        most, rows = self._maximum_rows, len(given[0])
        if rows <= most:
            return [_Part(given, bulk, future(), arrived)]
        return [
            _Part(tuple(array[first : first + most] for array in given), bulk, future(), arrived)
            for first in range(0, rows, most)
        ]

    async def _serve(self) -> None:
        try:
            while True:
                await self._until_due()
                self._running = self._take()
                await self._run(self._running)
                self._running = []
        except Exception:  # a fault of ours; `serving` tells it, and nobody waits for ever
            structlog.get_logger().exception("batcher ended")
        finally:
            for part in (*self._running, *self._urgent, *self._bulk):
                _settle(part, Unavailable(_STOPPING))

    async def _until_due(self) -> None:
        """Return when a batch should leave: there is a request, and the batch is full or the oldest waited enough."""
        while not (lanes := self._lanes()) or (left := self._left_of_delay(lanes)) > 0:
            self._arrival.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), left if lanes else None)

    def _left_of_delay(self, lanes: Sequence[_Lane[Answered]]) -> float:
        """Return how many seconds a batch may still wait for company."""
        if sum(lane.rows for lane in lanes) >= self._maximum_rows:
            return 0.0
        return min(lane.oldest.arrived for lane in lanes) + self._maximum_delay - time.monotonic()

    def _take(self) -> list[_Part[Answered]]:
        """Take the oldest of the lane whose turn it is and what comes after it, in order, while it fits."""
        batch: list[_Part[Answered]] = []
        left = self._maximum_rows
        for lane in self._lanes():
            while lane and lane.oldest.rows <= left:
                batch.append(lane.take())
                left -= batch[-1].rows
        served = not self._bulk or any(part.bulk for part in batch)
        self._left_behind = 0 if served else self._left_behind + 1
        return batch

    async def _run(self, batch: list[_Part[Answered]]) -> None:
        started = time.monotonic()
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, batch)
        except Exception as error:
            await self._run_apart(batch, error)
            return
        ran = time.monotonic() - started
        self._hand_out(batch, answer)
        waited = tuple(Waited("bulk" if each.bulk else "interactive", started - each.arrived) for each in batch)
        self._tell(BatchRan(sum(each.rows for each in batch), waited, ran))

    def _answer(self, batch: list[_Part[Answered]]) -> Answered:
        """Run a batch, in the engine's thread: there it holds up nobody to put large arrays together."""
        return self._call(*map(_joined, zip(*(part.given for part in batch), strict=True)))

    def _tell(self, ran: BatchRan) -> None:
        try:
            self._on_batch(ran)
        except Exception:  # who counts must not keep others from their answers
            structlog.get_logger().exception("batch not counted")

    async def _run_apart(self, batch: list[_Part[Answered]], error: Exception) -> None:
        """Run what failed together each alone, for the fault may be a neighbour's."""
        if len(batch) == 1:
            _settle(batch[0], error)
            return
        for part in batch:
            if not part.answer.done():
                await self._run([part])

    @staticmethod
    def _hand_out(batch: list[_Part[Answered]], answer: Answered) -> None:
        first = 0
        for part in batch:
            last = first + part.rows
            _settle(part, answer.rows(first, last))
            first = last

    def _lanes(self) -> list[_Lane[Answered]]:
        """Return the lanes in which somebody waits, the one whose turn it is first."""
        lanes = [self._bulk, self._urgent] if self._left_behind >= _PATIENCE else [self._urgent, self._bulk]
        return [lane for lane in lanes if lane]


def _joined(arrays: tuple[Floats, ...]) -> Floats:
    """Return arrays one after another; a lone one as it is, for a copy takes as long as all else here."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


async def _whole(parts: list[_Part[Answered]]) -> Answered:
    """Wait for the answers to all parts of a request."""
    if len(parts) == 1:
        return await parts[0].answer
    answers = await asyncio.gather(*(part.answer for part in parts))
    return type(answers[0]).joined(answers)


def _settle(part: _Part[Answered], outcome: Answered | Exception) -> None:
    """Answer unless that was done, or nobody waits any more."""
    if part.answer.done():
        return
    if isinstance(outcome, Exception):
        part.answer.set_exception(outcome)
    else:
        part.answer.set_result(outcome)
