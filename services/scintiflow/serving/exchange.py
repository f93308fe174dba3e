"""What every HTTP exchange has in common: a bounded body in, a sentence for every error, one count an answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scintiflow.errors import ScintiflowError, Unavailable

_SECONDS = 25.0
"""How long a body may take to come."""
_TOO_MUCH = "Too much is being sent at the moment; try again later."

_AT_ONCE = 0.1
"""Seconds that an answer may take before anybody looks whether the client is still there."""

Endpoint = Callable[[Request], Awaitable[Response]]
Answered = TypeVar("Answered")

_OUTCOMES = {
    200: "answered",
    202: "accepted",
    204: "removed",
    400: "invalid",
    404: "unknown",
    408: "too_slow",
    409: "too_early",
    413: "too_large",
    415: "wrong_type",
    422: "refused",
    429: "put_off",
    499: "gone",
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


async def read_body(
    request: Request, limit: int, *, seconds: float = _SECONDS, came: Callable[[int], None] = lambda size: None
) -> bytes:
    """Return the request's body, at most `limit` bytes; `came` hears of each part, and may refuse it.

    Raises:
        HTTPException: 413 if it is larger, as soon as that is known; 415 if it is compressed; 400 if it ends early;
            408 if it takes longer than `seconds`.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "Send the body as it is, without Content-Encoding.")
    if _announced(request) > limit:
        raise _too_large(limit)
    chunks, size, more = [], 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise HTTPException(400, "The connection ended before the body did.")
                chunk, more = message.get("body", b""), message.get("more_body", False)
                came(len(chunk))
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
    except TimeoutError as error:
        told = f"The body did not come within {seconds:g} seconds; send less at a time."
        raise HTTPException(408, told, {"Connection": "close"}) from error
    return b"".join(chunks)


async def while_connected(request: Request, answer: Awaitable[Answered]) -> Answered:
    """Wait for an answer as long as the client does; what is answered at once costs no listening.

    Raises:
        HTTPException: 499, which nobody hears, for a client that has gone; the answer is cancelled.
    """
    loop = asyncio.get_running_loop()
    listening: list[asyncio.Task[None]] = []
    try:
        async with asyncio.timeout(None) as patience:
            later = loop.call_later(
                _AT_ONCE, lambda: listening.append(loop.create_task(_end_when_gone(request, patience)))
            )
            try:
                return await answer
            finally:
                later.cancel()
                for task in listening:
                    task.cancel()
    except TimeoutError as error:
        raise HTTPException(499, "The client has gone.") from error


async def _end_when_gone(request: Request, patience: asyncio.Timeout) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    patience.reschedule(asyncio.get_running_loop().time())


class Intake:
    """Bodies that are read and made sense of: so large, so many bytes of all of them together, so many seconds each.

    Only what has come counts, so whoever stalls holds no more than was sent, and not for long.
    """

    def __init__(self, *, largest: int, together: int, seconds: float) -> None:
        self._largest = largest
        self._together = together
        self._seconds = seconds
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Hold a request's body while the block runs.

        Raises:
            HTTPException: as `read_body` does.
            Unavailable: too much is held already.
        """
        held = 0

        def came(size: int) -> None:
            nonlocal held
            if self._held + size > self._together:
                raise Unavailable(_TOO_MUCH)
            self._held += size
            held += size

        if self._held + min(_announced(request), self._largest) > self._together:
            raise Unavailable(_TOO_MUCH)
        try:
            yield await read_body(request, self._largest, seconds=self._seconds, came=came)
        finally:
            self._held -= held


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body may hold {limit} bytes; send less at a time.")


def _announced(request: Request) -> int:
    return int(request.headers.get("content-length", 0))
