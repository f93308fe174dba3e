"""All batches: which shard is made next, how far each has come, and when one goes."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import structlog

from scintiflow.errors import Refused, ScintiflowError, Unavailable
from scintiflow.store import Store
from scintiflow.synthesizer import metrics
from scintiflow.synthesizer.batch import Batch, batches_on_disk, begin
from scintiflow.synthesizer.synthesize import Synthesis
from scintiflow.synthesizer.wanted import Wanted

State = Literal["queued", "running", "waiting", "failed", "done"]

_SHARDS_AT_ONCE = 3
"""One in the engine, one on its way to the disk, and one so that the engine never waits."""
_PAUSE_SECONDS = 5.0
"""After a disk that took nothing."""
_DAY = 86_400.0

T = TypeVar("T")


@dataclass(eq=False)
class Progress:
    """How far a batch has come. Times are of the monotonic clock."""

    batch: Batch
    pending: deque[int]
    making: set[asyncio.Task[None]] = field(default_factory=set)
    done: int = 0
    """Scans on the disk."""
    made: int = 0
    """Scans of shards that this process made, since `began`."""
    began: float | None = None
    latest: float = 0.0
    """When the latest of them was finished."""
    trouble: str = ""
    failed: bool = False

    @property
    def finished(self) -> bool:
        """Whether all of it is on the disk."""
        return self.done == self.batch.order.count

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.finished or self.failed:
            return "done" if self.finished else "failed"
        if self.trouble:
            return "waiting"
        return "queued" if self.began is None else "running"

    @property
    def rate(self) -> float | None:
        """Scans a second, as far as this process made them; None where nobody can tell."""
        if self.began is None or not self.made:
            return None
        return self.made / (self.latest - self.began)


class Batches:
    """Makes the shards of all batches in turn, so that a large batch does not hold up a small one."""

    def __init__(
        self, store: Store, *, synthesis: Callable[[], Synthesis], minimum_free: int, keep_days: float
    ) -> None:
        self._store = store
        self._synthesis = synthesis
        self._minimum_free = minimum_free
        self._keep_days = keep_days
        self._all: dict[str, Progress] = {}
        self._turns: deque[Progress] = deque()
        self._work = asyncio.Event()

    @asynccontextmanager
    async def running(self, loaded: asyncio.Event) -> AsyncIterator[None]:
        """Go on with what is on the disk, once the generator is `loaded`, until the context ends."""
        await asyncio.to_thread(self._look)
        tasks = [asyncio.create_task(self._make_shards(loaded)) for _ in range(_SHARDS_AT_ONCE)]
        tasks.append(asyncio.create_task(self._expire()))
        try:
            yield
        finally:
            tasks += [task for progress in self._all.values() for task in progress.making]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def all(self) -> list[Progress]:
        """Return every batch, oldest first."""
        return list(self._all.values())

    def get(self, id: str) -> Progress | None:
        """Return one batch."""
        return self._all.get(id)

    @property
    def unfinished(self) -> list[Progress]:
        """Return those that are still to be made."""
        return [progress for progress in self._all.values() if not progress.finished and not progress.failed]

    async def add(self, wanted: Wanted, seed: int, *, shard: int) -> Progress:
        """Take a batch on; it is on the disk when this returns. Raises Unavailable."""
        manifest = self._synthesis().manifest
        batch = await uninterrupted(lambda: begin(self._store, wanted, seed, manifest, shard=shard))
        return self._take_on(batch)

    async def remove(self, progress: Progress) -> None:
        """Stop making it and remove it."""
        self._all.pop(progress.batch.id, None)
        with suppress(ValueError):
            self._turns.remove(progress)
        for task in progress.making:
            task.cancel()
        await asyncio.gather(*progress.making, return_exceptions=True)
        await uninterrupted(progress.batch.remove)
        self._count()

    def _count(self) -> None:
        metrics.BATCHES.set(len(self.unfinished))
        metrics.SCANS_LEFT.set(sum(progress.batch.order.count - progress.done for progress in self.unfinished))

    def _look(self) -> None:
        self._store.sweep_incoming()
        for batch in batches_on_disk(self._store):
            self._take_on(batch)

    def _take_on(self, batch: Batch) -> Progress:
        missing = batch.missing()
        done = batch.order.count - sum(len(batch.indices(shard)) for shard in missing)
        progress = self._all[batch.id] = Progress(batch, deque(missing), done=done)
        if missing:
            self._turns.append(progress)
            self._work.set()
        self._count()
        return progress

    async def _make_shards(self, loaded: asyncio.Event) -> None:
        await loaded.wait()
        while True:
            progress, shard = await self._next()
            task = asyncio.create_task(self._make(progress, shard))
            progress.making.add(task)
            await asyncio.wait([task])
            progress.making.discard(task)

    async def _next(self) -> tuple[Progress, int]:
        """Return the next shard of the batch whose turn it is."""
        while not self._turns:
            self._work.clear()
            await self._work.wait()
        progress = self._turns.popleft()
        shard = progress.pending.popleft()
        if progress.pending:
            self._turns.append(progress)
        return progress, shard

    async def _make(self, progress: Progress, shard: int) -> None:
        """Make one shard; a disk that does not take it is tried again, anything else ends the batch."""
        try:
            await self._made(progress, shard)
        except Unavailable as error:
            progress.trouble = str(error)
            await asyncio.sleep(_PAUSE_SECONDS)
            self._again(progress, shard)
        except Exception as error:
            self._fail(progress, error)

    async def _made(self, progress: Progress, shard: int) -> None:
        batch, synthesis = progress.batch, self._synthesis()
        if batch.order.model_digest != synthesis.manifest.digest:
            raise Refused("It was begun with another generator, which it needs to go on; delete it, and ask again.")
        if self._store.free_bytes() < self._minimum_free:
            raise Unavailable("The disk is too full to go on; make room, or delete batches.")
        progress.began = progress.began or time.monotonic()
        indices = batch.indices(shard)
        entries = await synthesis.entries(batch.wanted, batch.order.seed, indices, within=None, bulk=True)
        await uninterrupted(lambda: batch.keep(self._store, shard, entries))
        progress.done += len(indices)
        progress.made += len(indices)
        progress.latest = time.monotonic()
        progress.trouble = ""
        self._count()

    def _again(self, progress: Progress, shard: int) -> None:
        if progress.batch.id not in self._all or progress.failed:
            return
        progress.pending.appendleft(shard)
        if progress not in self._turns:
            self._turns.append(progress)
        self._work.set()

    def _fail(self, progress: Progress, error: Exception) -> None:
        known = isinstance(error, ScintiflowError)
        progress.failed = True
        progress.trouble = str(error) if known else "Something went wrong here; the log says what."
        with suppress(ValueError):
            self._turns.remove(progress)
        structlog.get_logger().error("batch failed", reason=progress.trouble, exc_info=not known)
        self._count()

    async def _expire(self) -> None:
        """Remove what ended `keep_days` ago, once a minute."""
        while True:
            for progress in self.all():
                over = time.time() - progress.batch.ended_at() > _DAY * self._keep_days
                if over and progress.state in ("done", "failed"):
                    await self.remove(progress)
            await asyncio.sleep(60)


async def uninterrupted(work: Callable[[], T]) -> T:
    """Do `work` in a thread to its end, also when whoever waits for it is told to stop meanwhile."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def view(progress: Progress, *, keep_days: float) -> dict[str, Any]:
    """Return what a client is told of a batch; times in Unix seconds."""
    batch, rate = progress.batch, progress.rate
    left = batch.order.count - progress.done
    return {
        "id": batch.id,
        "state": progress.state,
        "reason": progress.trouble or None,
        "count": batch.order.count,
        "done": progress.done,
        "scans_a_second": None if rate is None else round(rate, 3),
        "seconds_left": round(left / rate, 1) if rate and progress.state == "running" else None,
        "asked_at": batch.order.asked_at,
        "expires_at": batch.ended_at() + _DAY * keep_days if progress.finished else None,
        "request": batch.wanted.model_dump(exclude_none=True),
        "archive": f"/v1/batches/{batch.id}/archive",
    }
