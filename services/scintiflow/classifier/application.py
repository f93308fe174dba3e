"""Everything that the classifier answers, as one ASGI application."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scintiflow.classifier.classify import Classification
from scintiflow.classifier.inference_protocol import InferenceProtocol
from scintiflow.classifier.metrics import REQUESTS
from scintiflow.classifier.openapi import document
from scintiflow.classifier.roster import Roster
from scintiflow.serving.exchange import everything_else
from scintiflow.serving.probes import probes


def application(roster: Roster, *, maximum_body: int, deadline: float) -> Starlette:
    """Return the application; its lifespan opens and closes `roster`."""
    return Starlette(
        routes=[
            *InferenceProtocol(roster, maximum_body, deadline).routes(),
            *Classification(roster, maximum_body, deadline).routes(),
            Route("/openapi.json", _openapi),
            *probes(roster.trouble),
            everything_else(REQUESTS),
        ],
        lifespan=lambda _: roster.opened(),
    )


async def _openapi(request: Request) -> Response:
    return JSONResponse(document())
