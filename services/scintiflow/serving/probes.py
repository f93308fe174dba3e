"""What the outside looks at, and nobody counts: /livez, /readyz and /metrics."""

from collections.abc import Callable

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send


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


async def show_metrics(request: Request) -> Response:
    """Answer with everything that the process counts, as Prometheus reads it."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
