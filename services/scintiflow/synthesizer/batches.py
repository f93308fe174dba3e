"""All batches on the disk: which shard this replica makes next, and when a batch goes.

Replicas share a folder and nothing else. Each looks at it once a second, and whenever it is asked; what one of them
took on, made, failed or removed, the others learn from there.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from time import time
from typing import TypeVar

import structlog

from scintiflow.errors import Refused, ScintiflowError, Unavailable
from scintiflow.store import Store
from scintiflow.synthesizer import metrics
from scintiflow.synthesizer.batch import Batch, batch_on_disk, batches_on_disk, begin, beginning
from scintiflow.synthesizer.progress import Progress
from scintiflow.synthesizer.synthesize import Synthesis
from scintiflow.synthesizer.wanted import Wanted

_SHARDS_AT_ONCE = 3
"""One in the engine, one on its way to the disk, and one so that the engine never waits."""
_PAUSE_SECONDS = 5.0
"""After a disk that took nothing."""
_LOOK_SECONDS = 1.0
_EXPIRE_SECONDS = 60.0
_TRY_SECONDS = 0.05
_TRIES = 100
"""To begin a batch while other replicas do."""

T = TypeVar("T")

Admit = Callable[[list[int]], None]
"""Raises where there is no place for a batch beside those that are open, of each of which so many scans are left."""


class _OfAnother(Refused):
    """The batch is of another generator: it fails here, and goes on where that one is served."""


class Batches:
    """Makes the shards of all batches in turn, so that a large batch does not hold up a small one."""

    def __init__(
        self,
        store: Store,
        *,
        synthesis: Callable[[], Synthesis],
        minimum_free: int,
        keep_days: float,
        drain_seconds: float,
    ) -> None:
        self._store = store
        self._synthesis = synthesis
        self._minimum_free = minimum_free
        self._keep_days = keep_days
        self._drain_seconds = drain_seconds
        self._all: dict[str, Progress] = {}
        self._turns: deque[Progress] = deque()
        self._work = asyncio.Event()
        self._looking = asyncio.Lock()
        """A look takes a moment, in which nothing is taken on or removed here."""

    @asynccontextmanager
    async def running(self, loaded: asyncio.Event) -> AsyncIterator[None]:
        """Go on with what is on the disk, once the generator is `loaded`, until the context ends."""
        await asyncio.to_thread(self._store.sweep_incoming)
        await self.look()
        tasks = [asyncio.create_task(self._make_shards(loaded)) for _ in range(_SHARDS_AT_ONCE)]
        tasks.append(asyncio.create_task(_again_and_again(self.look, _LOOK_SECONDS)))
        tasks.append(asyncio.create_task(_again_and_again(self._expire, _EXPIRE_SECONDS)))
        try:
            yield
        finally:
            await _cancelled(tasks)
            await self._drained()

    def all(self) -> list[Progress]:
        """Return every batch, oldest first."""
        return sorted(self._all.values(), key=lambda progress: progress.batch.order.asked_at)

    @property
    def open(self) -> list[Progress]:
        """Return those that are still to be made."""
        return [progress for progress in self._all.values() if progress.open]

    async def look(self) -> None:
        """Learn from the disk what became of all batches."""
        async with self._looking:
            batches = await asyncio.to_thread(self._on_disk)
            for id in self._all.keys() - {batch.id for batch in batches}:
                self._forget(self._all[id])
            for batch in batches:
                await self._see(batch)

    async def find(self, id: str) -> Progress | None:
        """Return one batch as it is on the disk now."""
        async with self._looking:
            batch = await asyncio.to_thread(batch_on_disk, self._store, id)
            if batch is not None:
                return await self._see(batch)
            if id in self._all:
                self._forget(self._all[id])
            return None

    async def add(self, wanted: Wanted, seed: int, *, shard: int, admit: Admit) -> Progress:
        """Take a batch on where there is a place for it; it is on the disk when this returns.

        Raises:
            Unavailable: the disk does not take it, or other replicas take on batches without end.
            HTTPException: what `admit` raises.
        """
        for _ in range(_TRIES):
            async with self._looking:
                batch = await uninterrupted(lambda: self._begun(wanted, seed, shard, admit))
                if batch is not None:
                    return await self._see(batch)
            await asyncio.sleep(_TRY_SECONDS)
        raise Unavailable("Other replicas take on batches; ask again.")

    async def remove(self, progress: Progress) -> None:
        """Remove it; replicas that make it stop when they look."""
        async with self._looking:
            making = progress.making.values()
            self._forget(progress)
            await asyncio.gather(*making, return_exceptions=True)
            await uninterrupted(progress.batch.remove)

    def _begun(self, wanted: Wanted, seed: int, shard: int, admit: Admit) -> Batch | None:
        """Begin a batch on the disk; None while another replica begins one, as both would count the same places."""
        manifest = self._synthesis().manifest
        with beginning(self._store) as alone:
            if not alone:
                return None
            closed = {progress.batch.id for progress in self._all.values() if not progress.open}
            others = [batch for batch in self._on_disk() if batch.id not in closed and not batch.failure]
            admit([left for batch in others if (left := batch.scans(batch.missing()))])
            return begin(self._store, wanted, seed, manifest, shard=shard)

    def _on_disk(self) -> list[Batch]:
        return batches_on_disk(self._store, [progress.batch for progress in self._all.values()])

    async def _see(self, batch: Batch) -> Progress:
        progress = self._all.get(batch.id)
        if progress is None or not progress.finished:
            missing, failure = await asyncio.to_thread(lambda: (batch.missing(), batch.failure))
            progress = self._all.setdefault(batch.id, Progress(batch, missing))
            progress.see(missing, failure)
            self._line_up(progress)
        return progress

    def _line_up(self, progress: Progress) -> None:
        """Give a batch its turn as long as there is something of it to try."""
        waits = progress.open and bool(progress.pending)
        if waits and progress not in self._turns:
            self._turns.append(progress)
            self._work.set()
        if not waits and progress in self._turns:
            self._turns.remove(progress)
        self._count()

    def _forget(self, progress: Progress) -> None:
        """Make no more of a batch that was removed."""
        self._all.pop(progress.batch.id, None)
        progress.pending.clear()
        for task in progress.making.values():
            task.cancel()
        self._line_up(progress)

    def _count(self) -> None:
        metrics.BATCHES.set(len(self.open))
        metrics.SCANS_LEFT.set(sum(progress.left for progress in self.open))

    async def _make_shards(self, loaded: asyncio.Event) -> None:
        await loaded.wait()
        while True:
            progress, shard = await self._next()
            task = progress.making[shard] = asyncio.create_task(self._make(progress, shard))
            await asyncio.wait([task])
            del progress.making[shard]
            if progress.trouble and await self.find(progress.batch.id):
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _next(self) -> tuple[Progress, int]:
        """Return the next shard of the batch whose turn it is."""
        while not self._turns:
            self._work.clear()
            await self._work.wait()
        progress = self._turns.popleft()
        shard = progress.pending.popleft()
        self._line_up(progress)
        return progress, shard

    async def _make(self, progress: Progress, shard: int) -> None:
        """Make one shard, unless another replica does; a disk that does not take it is tried again.

        Anything else ends the batch.
        """
        try:
            with progress.batch.claimed(self._store, shard) as ours:
                progress.begin()
                if ours:
                    await self._made(progress, shard)
        except Unavailable as error:
            progress.trouble = str(error)
        except Exception as error:
            await self._fail(progress, error)

    async def _made(self, progress: Progress, shard: int) -> None:
        batch, synthesis = progress.batch, self._synthesis()
        if batch.order.model_digest != synthesis.manifest.digest:
            raise _OfAnother("It was begun with another generator, which it needs to go on; delete it, and ask again.")
        if self._store.free_bytes() < self._minimum_free:
            raise Unavailable("The disk is too full to go on; make room, or delete batches.")
        indices = batch.indices(shard)
        entries = await synthesis.entries(batch.wanted, batch.order.seed, indices, within=None, bulk=True)
        await uninterrupted(lambda: batch.keep(self._store, shard, entries))
        progress.add({shard})
        self._count()

    async def _fail(self, progress: Progress, error: Exception) -> None:
        known = isinstance(error, ScintiflowError)
        progress.failure = str(error) if known else "Something went wrong here; the log says what."
        structlog.get_logger().error("batch failed", reason=progress.failure, exc_info=not known)
        self._line_up(progress)
        if not isinstance(error, _OfAnother):
            with suppress(Unavailable):  # then each replica fails it by itself
                await uninterrupted(lambda: progress.batch.fail(self._store, progress.failure))

    async def _drained(self) -> None:
        """Let the shards that are being made be finished, but not for long: others would make them anew."""
        making = [task for progress in self._all.values() for task in progress.making.values()]
        if making:
            await asyncio.wait(making, timeout=self._drain_seconds)
        await _cancelled(making)

    async def _expire(self) -> None:
        """Remove what ended `keep_days` ago."""
        for progress in self.all():
            if progress.open:
                continue
            if await asyncio.to_thread(progress.batch.expires_at, self._keep_days) < time():
                await self.remove(progress)


async def uninterrupted(work: Callable[[], T]) -> T:
    """Do `work` in a thread to its end, also when whoever waits for it is told to stop meanwhile."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def _again_and_again(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Do `work`, and again after so long, whatever it raises: the next time may find the disk well."""
    while True:
        try:
            await work()
        except Exception:
            structlog.get_logger().exception("batches not looked at")
        await asyncio.sleep(seconds)


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
