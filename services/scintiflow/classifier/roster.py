"""The models that are served, and what keeps those that are not from answering."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import structlog

from scintiflow.classifier import metrics
from scintiflow.errors import ScintiflowError, Unavailable
from scintiflow.inference.batcher import Batcher, BatchRan
from scintiflow.inference.engine import Answer, Engine, check_golden
from scintiflow.inference.manifest import Manifest, folders, load
from scintiflow.inference.session import EngineFacts, Floats

State = Literal["LOADING", "READY", "UNAVAILABLE"]
"""As the model repository extension of the Open Inference Protocol calls them."""

_LOADING = "The model is being loaded; try again in a few seconds."
_ENDED = "What answers for the model has ended; the log says why."


@dataclass
class Served:
    """One model folder. It answers while `state` is READY; else `reason` says why not."""

    name: str
    fault: str = ""
    """Why it cannot be loaded."""
    manifest: Manifest | None = None
    facts: EngineFacts | None = None
    batcher: Batcher[Answer] | None = None

    @property
    def state(self) -> State:
        """What it does; a batcher that has ended is as good as none."""
        if self.batcher is None:
            return "UNAVAILABLE" if self.fault else "LOADING"
        return "READY" if self.batcher.serving else "UNAVAILABLE"

    @property
    def reason(self) -> str:
        """Why it does not answer; empty where it does."""
        return {"LOADING": _LOADING, "UNAVAILABLE": self.fault or _ENDED, "READY": ""}[self.state]

    async def answer(self, canvas: Floats, present: Floats, *, within: float, bulk: bool = False) -> Answer:
        """Answer N rows within so many seconds; `bulk` lets those go first that somebody waits for.

        Raises:
            Unavailable: the model is not ready, overloaded or too slow.
            Refused: the engine gave something that is no finding.
        """
        return await self._serving().submit(canvas, present, within=within, bulk=bulk)

    def require_room(self) -> None:
        """Say before a request is read that it would not be answered.

        Raises:
            Unavailable: the model is not ready, or overloaded.
        """
        self._serving().require_room()

    @property
    def idle(self) -> bool:
        """Whether a request would start at once."""
        return self.batcher is not None and self.batcher.idle

    def _serving(self) -> Batcher[Answer]:
        if self.batcher is None or not self.batcher.serving:
            raise Unavailable(f"The model {self.name} is not ready: {self.reason}")
        return self.batcher


class Roster:
    """Every classifier under `models`, each ready only after its golden scans went through the engine that answers."""

    def __init__(
        self,
        models: Path,
        *,
        chosen: Callable[[Manifest], Manifest],
        open_engine: Callable[[Manifest], Engine],
        new_batcher: Callable[[Engine, Callable[[BatchRan], None]], Batcher[Answer]],
    ) -> None:
        self._models = models
        self._chosen = chosen
        self._open_engine = open_engine
        self._new_batcher = new_batcher
        self._served: dict[str, Served] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Load the models one after another in the background, and let them answer until the context ends."""
        self._served = {folder.name: Served(folder.name) for folder in folders(self._models)}
        for name in self._served:
            metrics.GOLDEN_GATE.labels(name).set(0)
        async with AsyncExitStack() as batchers:
            loading = asyncio.create_task(self._load_all(batchers))
            try:
                yield
            finally:
                loading.cancel()

    def all(self) -> Sequence[Served]:
        """Return every model, ready or not, in order of name."""
        return list(self._served.values())

    def get(self, name: str) -> Served | None:
        """Return the model in folder `name`."""
        return self._served.get(name)

    def trouble(self) -> str | None:
        """Say why the service is not ready; None when every model is."""
        if not self._served:
            return f"There is no classifier in {self._models}; put a model folder there and start again."
        return " ".join(f"{one.name}: {one.reason}" for one in self.all() if one.state != "READY") or None

    async def _load_all(self, batchers: AsyncExitStack) -> None:
        for served in self.all():
            try:
                await self._load(served, batchers)
            except Exception as error:  # one model's trouble is not the others'
                served.fault = _reason(error)
                structlog.get_logger().error("model not ready", model=served.name, reason=served.reason)

    async def _load(self, served: Served, batchers: AsyncExitStack) -> None:
        loaded = served.manifest = await asyncio.to_thread(load, self._models / served.name)
        manifest = served.manifest = self._chosen(loaded)
        engine = await asyncio.to_thread(self._open_checked, manifest)
        facts = served.facts = engine.describe()
        heard = partial(metrics.count_batch, manifest.name, facts)
        metrics.count_engine(manifest, facts)
        served.batcher = await batchers.enter_async_context(self._new_batcher(engine, heard))
        structlog.get_logger().info("model ready", model=served.name, engine=facts.engine, precision=facts.precision)

    def _open_checked(self, manifest: Manifest) -> Engine:
        engine = self._open_engine(manifest)
        check_golden(engine, manifest)
        return engine


def _reason(error: Exception) -> str:
    """Return a sentence; what an engine throws has many lines, of which the log keeps the first as well."""
    if isinstance(error, ScintiflowError):
        return str(error)
    first = (str(error).strip().splitlines() or [""])[0]
    return f"The model cannot be loaded ({type(error).__name__}: {first})."
