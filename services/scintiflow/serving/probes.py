"""What the outside looks at, and nobody counts: /livez, /readyz and /metrics."""

from collections.abc import Callable

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def probes(trouble: Callable[[], str | None]) -> list[Route]:
    """Return their routes; `trouble` says why the process is not ready, and None where it is."""

    async def ready(request: Request) -> Response:
        reason = trouble()
        return JSONResponse({"ready": reason is None, "reason": reason}, 200 if reason is None else 503)

    return [Route("/livez", _alive), Route("/readyz", ready), Route("/metrics", _metrics)]


async def _alive(request: Request) -> Response:
    return JSONResponse({"alive": True})


async def _metrics(request: Request) -> Response:
    """Answer with everything that the process counts, as Prometheus reads it."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
