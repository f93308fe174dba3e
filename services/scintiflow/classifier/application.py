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
from scintiflow.serving.exchange import Intake, everything_else
from scintiflow.serving.probes import probes

_SCAN_BYTES = 1 << 20


def application(
    roster: Roster, *, maximum_body: int, maximum_waiting: int, sending: float, deadline: float
) -> Starlette:
    """Return the application; its lifespan opens and closes `roster`.

    As many single scans may be sent at the same moment as may wait for a model, beside one of the largest bodies. A
    client has `sending` seconds for its request, and each model `deadline` for its answer.
    """
    intake = Intake(largest=maximum_body, together=maximum_waiting * _SCAN_BYTES + maximum_body, seconds=sending)
    return Starlette(
        routes=[
            *InferenceProtocol(roster, intake, deadline).routes(),
            *Classification(roster, intake, deadline).routes(),
            Route("/openapi.json", _openapi),
            *probes(roster.trouble),
            everything_else(REQUESTS),
        ],
        lifespan=lambda _: roster.opened(),
    )


async def _openapi(request: Request) -> Response:
    return JSONResponse(document())
