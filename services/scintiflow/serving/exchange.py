"""What every HTTP exchange has in common: a bounded body in, a sentence for every error, one count an answer."""

from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scintiflow.errors import ScintiflowError, Unavailable

Endpoint = Callable[[Request], Awaitable[Response]]

_OUTCOMES = {
    200: "answered",
    202: "accepted",
    204: "removed",
    400: "invalid",
    404: "unknown",
    409: "too_early",
    413: "too_large",
    415: "wrong_type",
    422: "refused",
    429: "put_off",
    500: "failed",
    503: "unavailable",
    507: "no_room",
}


def spoken(requests: Counter, call: str, endpoint: Endpoint) -> Endpoint:
    """Turn what `endpoint` raises into `{"error": sentence}` with its status, and count the answer in `requests`.

    HTTPException keeps its status, Unavailable is 503; anything else is a fault of ours or of a model: 500. The labels
    of `requests` are `call`, and what became of it.
    """

    async def answer(request: Request) -> Response:
        try:
            response = await endpoint(request)
        except HTTPException as error:
            response = JSONResponse({"error": error.detail}, error.status_code, error.headers)
        except Unavailable as error:
            response = JSONResponse({"error": str(error)}, 503, {"Retry-After": "1"})
        except ScintiflowError as error:
            response = JSONResponse({"error": str(error)}, 500)
        except Exception:
            structlog.get_logger().exception("request failed", call=call)
            response = JSONResponse({"error": "Something went wrong here; the log says what."}, 500)
        requests.labels(call, _OUTCOMES[response.status_code]).inc()
        return response

    return answer


def everything_else(requests: Counter) -> Route:
    """Return the last route of a service: a sentence for whatever path a stranger invents, counted under one name."""
    return Route(
        "/{path:path}", spoken(requests, "unknown", _unknown), methods=["GET", "POST", "PUT", "DELETE", "PATCH"]
    )


async def _unknown(request: Request) -> Response:
    raise HTTPException(404, "There is nothing here; /openapi.json lists what there is.")


async def read_body(request: Request, limit: int) -> bytes:
    """Return the request's body, at most `limit` bytes.

    Raises:
        HTTPException: 413 if it is larger, as soon as that is known; 415 if it is compressed; 400 if it ends early.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "Send the body as it is, without Content-Encoding.")
    too_large = HTTPException(413, f"The body may hold {limit} bytes; send less at a time.")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise too_large
    except ClientDisconnect as error:
        raise HTTPException(400, "The connection ended before the body did.") from error
    return b"".join(chunks)
