"""A BentoML service without what BentoML puts between its server and an application."""

from typing import Any

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send


class Direct(bentoml.Service[Any]):
    """BentoML runs the process, its socket and the lifespan; requests go straight to the application that is mounted.

    On the way through its tracing, timers and routers a request took more of a core than in the application itself, and
    there is no other way past them (`benchmarks.front` measures it).
    """

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """Return what the server calls."""
        around = super().to_asgi(is_main)
        ((application, _, _),) = self.mount_apps

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await (around if scope["type"] == "lifespan" else application)(scope, receive, send)

        return answer
