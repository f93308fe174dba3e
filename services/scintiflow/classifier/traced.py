"""Inference requests as spans in the traces of those who ask. Only where traces go somewhere is it put in the way."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scintiflow.tracing import Place, Tracing
from scintiflow.tracing.place import place_in


class Traced:
    """An application whose inference requests are told, if they come with a `traceparent`."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        parent = _asked_in(scope)
        if parent is None:
            await self._app(scope, receive, send)
            return
        with self._tracing.inside(parent, "infer") as facts:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    facts["http.response.status_code"] = message["status"]
                await send(message)

            await self._app(scope, receive, noted)


def _asked_in(scope: Scope) -> Place | None:
    """Return the span that an inference request comes from."""
    if scope["type"] != "http" or not scope["path"].endswith("/infer"):
        return None
    return place_in(Headers(scope=scope).get("traceparent", ""))
