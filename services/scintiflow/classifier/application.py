"""Everything that the classifier answers, as one ASGI application."""

from collections.abc import Callable

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from scintiflow.classifier.classify import Classification
from scintiflow.classifier.exchange import spoken
from scintiflow.classifier.inference_protocol import InferenceProtocol
from scintiflow.classifier.openapi import document
from scintiflow.classifier.roster import Roster


def application(roster: Roster, *, maximum_body: int, deadline: float) -> Starlette:
    """Return the application; its lifespan opens and closes `roster`."""
    return Starlette(
        routes=[
            *InferenceProtocol(roster, maximum_body, deadline).routes(),
            *Classification(roster, maximum_body, deadline).routes(),
            Route("/openapi.json", _openapi),
            Route("/metrics", _metrics),
            Route("/{path:path}", spoken("unknown", _unknown), methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ],
        lifespan=lambda _: roster.opened(),
    )


async def _openapi(request: Request) -> Response:
    return JSONResponse(document())


async def _metrics(request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _unknown(request: Request) -> Response:
    raise HTTPException(404, "There is nothing here; /openapi.json lists what there is.")


class Probes:
    """Answers /livez and /readyz before BentoML does, whose answers cannot carry a reason."""

    def __init__(self, app: ASGIApp, trouble: Callable[[], str | None]) -> None:
        self._app = app
        self._trouble = trouble

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the two probes, pass everything else on."""
        match scope.get("path"):
            case "/livez":
                await JSONResponse({"alive": True})(scope, receive, send)
            case "/readyz":
                reason = self._trouble()
                status = 200 if reason is None else 503
                await JSONResponse({"ready": reason is None, "reason": reason}, status)(scope, receive, send)
            case _:
                await self._app(scope, receive, send)
