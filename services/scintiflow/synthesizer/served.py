"""The generator that is served, and what keeps it from answering."""

import asyncio
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from scintiflow.errors import ScintiflowError, Unavailable
from scintiflow.inference.batcher import Batcher, BatchRan
from scintiflow.inference.generator import check_golden, open_generator
from scintiflow.inference.generator_manifest import GeneratorManifest, load_generator
from scintiflow.inference.session import EngineFacts
from scintiflow.synthesizer import metrics
from scintiflow.synthesizer.guard import load_guard
from scintiflow.synthesizer.settings import SynthesizerSettings
from scintiflow.synthesizer.synthesize import Synthesis

_MOST_BULK = 1 << 16
"""Rows of bulk work in the batcher: whoever makes batches bounds them."""


class Served:
    """The generator under `models`, ready only after its golden scans went through the engine that draws."""

    def __init__(self, models: Path, settings: SynthesizerSettings, engines: Path) -> None:
        self._models = models
        self._engines = engines
        self._settings = settings
        self._trouble: str | None = "The generator is being loaded; try again in a few seconds."
        self._synthesis: Synthesis | None = None
        self._seconds_a_scan = 1.0
        self.loaded = asyncio.Event()
        """Set when there is nothing more to wait for, ready or not."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Load the generator in the background, and let it answer until the context ends."""
        async with AsyncExitStack() as stack:
            loading = asyncio.create_task(self._load_or_say_why(stack))
            try:
                yield
            finally:
                loading.cancel()
                self._synthesis = None

    def trouble(self) -> str | None:
        """Say why the service is not ready; None when it is."""
        ended = self._synthesis is not None and not self._synthesis.batcher.serving
        return "What draws for the generator has ended; the log says why." if ended else self._trouble

    def synthesis(self) -> Synthesis:
        """Return the generator at work; raises Unavailable while it is not ready."""
        if self._synthesis is None:
            raise Unavailable(f"The generator is not ready. {self._trouble or 'The service is stopping.'}")
        return self._synthesis

    def manifest(self) -> GeneratorManifest | None:
        """Return what the generator says about itself, once it is ready."""
        return self._synthesis.manifest if self._synthesis else None

    def seconds_for(self, scans: int) -> int:
        """Return about how long the engine takes for so many scans."""
        return max(1, math.ceil(scans * self._seconds_a_scan))

    async def _load_or_say_why(self, stack: AsyncExitStack) -> None:
        try:
            self._synthesis = await self._load(stack)
            self._trouble = None
        except Exception as error:  # whatever it is, the service stays up to say so
            self._trouble = _reason(error)
            metrics.GOLDEN_GATE.set(0)
            structlog.get_logger().error("generator not ready", reason=self._trouble)
        self.loaded.set()

    async def _load(self, stack: AsyncExitStack) -> Synthesis:
        settings = self._settings
        manifest = await asyncio.to_thread(load_generator, self._models)
        guard = await asyncio.to_thread(load_guard, manifest)
        choice = settings.overrule(manifest.engine)
        generator = await asyncio.to_thread(open_generator, manifest, choice, cache=self._engines)
        await asyncio.to_thread(check_golden, generator, manifest)
        facts = generator.describe()
        interactive, bulk = (ThreadPoolExecutor(settings.threads, thread_name_prefix="sampling") for _ in range(2))
        for threads in (interactive, bulk):
            stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        batcher = await stack.enter_async_context(
            Batcher(
                generator.run,
                maximum_rows=manifest.engine.rows,
                maximum_waiting=_MOST_BULK,
                on_batch=partial(self._heard, facts),
            )
        )
        metrics.count_engine(manifest, facts)
        structlog.get_logger().info("generator ready", engine=facts.engine, precision=facts.precision)
        return Synthesis(manifest, guard, batcher, generator.latent, interactive, bulk)

    def _heard(self, facts: EngineFacts, ran: BatchRan) -> None:
        self._seconds_a_scan = ran.ran / ran.rows
        metrics.count_batch(facts, ran)


def _reason(error: Exception) -> str:
    """Return a sentence; what an engine throws has many lines, of which the log keeps the first as well."""
    if isinstance(error, ScintiflowError):
        return str(error)
    first = (str(error).strip().splitlines() or [""])[0]
    return f"The generator cannot be loaded ({type(error).__name__}: {first})."
