"""Everything that the synthesizer answers, as one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scintiflow.serving.exchange import everything_else
from scintiflow.serving.probes import probes
from scintiflow.store import Store
from scintiflow.synthesizer.batches import Batches
from scintiflow.synthesizer.collection import Collection
from scintiflow.synthesizer.generation import Generation
from scintiflow.synthesizer.metrics import REQUESTS
from scintiflow.synthesizer.openapi import document
from scintiflow.synthesizer.served import Served
from scintiflow.synthesizer.settings import SynthesizerSettings


def application(served: Served, store: Store, settings: SynthesizerSettings) -> Starlette:
    """Return the application; its lifespan loads the generator and goes on with the batches in `store`."""
    batches = Batches(
        store,
        synthesis=served.synthesis,
        minimum_free=settings.minimum_free_bytes,
        keep_days=settings.keep_days,
        drain_seconds=settings.drain_seconds,
    )

    @asynccontextmanager
    async def working(_: Starlette) -> AsyncIterator[None]:
        async with served.opened(), batches.running(served.loaded):
            yield

    async def openapi(request: Request) -> Response:
        return JSONResponse(document(served.manifest()))

    at_once = Generation(served, maximum_waiting=settings.maximum_waiting, deadline=settings.deadline_seconds)
    return Starlette(
        routes=[
            *at_once.routes(),
            *Collection(served, batches, store, settings).routes(),
            Route("/openapi.json", openapi),
            *probes(served.trouble),
            everything_else(REQUESTS),
        ],
        lifespan=working,
    )
