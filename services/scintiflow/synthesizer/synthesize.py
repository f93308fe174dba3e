"""The way of a scan: latent noise and conditions -> expected counts from the engine -> a camera's counts -> files."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

from scintiflow.errors import Refused
from scintiflow.inference.batcher import Batcher
from scintiflow.inference.generator import Rates
from scintiflow.inference.generator_manifest import GeneratorManifest
from scintiflow.synthesizer import metrics
from scintiflow.synthesizer.archive import Entry, Packed
from scintiflow.synthesizer.guard import Guard
from scintiflow.synthesizer.item import Item
from scintiflow.synthesizer.sampling import sample
from scintiflow.synthesizer.scan import FORMATS, Scan
from scintiflow.synthesizer.wanted import Wanted

_ATTEMPTS = 8


@dataclass(frozen=True)
class Synthesis:
    """A generator at work: the engine in the batcher's thread, and what follows in others, so that it never waits."""

    manifest: GeneratorManifest
    guard: Guard
    batcher: Batcher[Rates]
    latent: int
    interactive: Executor
    bulk: Executor
    """Threads that draw counts and encode; each lane has its own, or one would wait for the other here."""

    async def entries(
        self, wanted: Wanted, seed: int, indices: Iterable[int], *, within: float | None, bulk: bool
    ) -> list[Entry]:
        """Make the scans `indices` of a request, each within so many seconds.

        Raises:
            Unavailable: too much waits, or time is up.
            Refused: the engine gave something that is no scan, or a copy of a training scan again and again.
        """
        tasks = [
            asyncio.create_task(self._entry(Item(wanted, seed, index), within=within, bulk=bulk)) for index in indices
        ]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _entry(self, item: Item, *, within: float | None, bulk: bool) -> Entry:
        loop = asyncio.get_running_loop()
        for _ in range(_ATTEMPTS):
            noise = item.noise(self.latent)
            condition, known = self.manifest.encode(item.said(self.manifest))
            drawn = await self.batcher.submit(noise[None], condition[None], known[None], within=within, bulk=bulk)
            if entry := await loop.run_in_executor(self.bulk if bulk else self.interactive, self._finish, item, drawn):
                metrics.SCANS.labels(item.wanted.label, "bulk" if bulk else "interactive").inc()
                return entry
            metrics.REDRAWN.inc()
            item = item.again()
        raise Refused(
            f"Scan {item.index} of seed {item.seed} came too close to a scan that the generator learnt from,"
            f" {_ATTEMPTS} times; choose another seed."
        )

    def _finish(self, item: Item, drawn: Rates) -> Entry | None:
        """Draw the counts and encode the scan; None for a copy of a training scan."""
        if self.guard.is_copy(drawn.embedding[0]):
            return None
        counts = sample(drawn.rate[0], item.counts(self.manifest), item.stream("counts"))
        form, labels = FORMATS[item.wanted.format], item.labels(self.manifest)
        names = form.names(item.index)
        files = form.encode(Scan(counts, labels))
        return Entry(labels, {names[column]: Packed.of(data) for column, data in files.items()})
