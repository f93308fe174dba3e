"""The least that serves an engine: `python -m benchmarks.rivals.bare_starlette PORT MODEL_FOLDER`.

One route, raw bytes in and out, the engine in a thread of its own; uvicorn with all that makes it fast.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.rivals.engine import answer, opened
from scintiflow.inference.engine import Engine


def application(engine: Engine) -> Starlette:
    """Return the application."""
    thread = ThreadPoolExecutor(1)

    async def infer(request: Request) -> Response:
        question = await request.body()
        (said,) = await asyncio.get_running_loop().run_in_executor(thread, answer, engine, [question])
        return Response(said, media_type="application/octet-stream")

    return Starlette(routes=[Route("/infer", infer, methods=["POST"])])


if __name__ == "__main__":
    served = application(opened(Path(sys.argv[2])))
    uvicorn.run(served, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
