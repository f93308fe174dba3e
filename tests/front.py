"""The classifier's HTTP front in this process, before an engine that a test holds in its hands."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from scintiflow.classifier.application import application
from scintiflow.classifier.roster import Roster
from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.errors import Unavailable
from scintiflow.inference.batcher import Batcher
from scintiflow.inference.engine import Answer, open_engine
from tests.graphs import Floats, model_folder, scans

HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Front:
    """Where it listens, and what it serves."""

    port: int
    roster: Roster

    def is_full(self) -> bool:
        """Tell whether no more scans may wait."""
        try:
            self.roster.all()[0].require_room()
        except Unavailable:
            return True
        return False

    async def send(self, part: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection of its own, and send this on it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(part)
        await writer.drain()
        return reader, writer

    async def ask(self, question: bytes) -> int:
        """Ask, and return the status of the answer."""
        reader, writer = await self.send(question)
        status = await status_of(reader)
        writer.close()
        return status


@asynccontextmanager
async def front(
    models: Path, run: Callable[..., Answer], settings: ClassifierSettings | None = None
) -> AsyncIterator[Front]:
    """Serve a model whose golden scans a real engine answers, and whatever is asked `run`."""
    settings = settings or ClassifierSettings()
    model_folder(models, "bright")
    roster = Roster(
        models,
        chosen=lambda manifest: manifest,
        open_engine=open_engine,
        new_batcher=lambda engine, heard: Batcher(run, maximum_waiting=settings.maximum_waiting, on_batch=heard),
    )
    answers = application(
        roster,
        maximum_body=settings.maximum_body_bytes,
        maximum_waiting=settings.maximum_waiting,
        sending=settings.sending_seconds,
        deadline=settings.deadline_seconds,
    )
    server = uvicorn.Server(uvicorn.Config(answers, port=0, log_level="error", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started and roster.trouble() is None)
        yield Front(server.servers[0].sockets[0].getsockname()[1], roster)
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving


async def until(holds: Callable[[], bool]) -> None:
    """Wait, at most half a minute, for something that no event tells."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


async def status_of(reader: asyncio.StreamReader) -> int:
    """Read the first line of an answer."""
    async with asyncio.timeout(30):
        return int((await reader.readline()).split()[1])


def question(number: float = 1.0, count: int = 1, **extra: object) -> bytes:
    """Write a request for `count` scans, in binary, the first pixel of each of which is `number`."""
    canvas, present = scans(count)
    canvas[:, 0, 0, 0] = number
    header = json.dumps({"inputs": [_input("canvas", canvas), _input("present", present)], **extra}).encode()
    return _posted(header + canvas.tobytes() + present.tobytes(), f"{HEADER_LENGTH}: {len(header)}\r\n")


def in_json() -> bytes:
    """Write a request for one scan in JSON."""
    tensors = dict(zip(("canvas", "present"), scans(1), strict=True))
    inputs = [
        {"name": name, "shape": values.shape, "datatype": "FP32", "data": values.ravel().tolist()}
        for name, values in tensors.items()
    ]
    return _posted(json.dumps({"inputs": inputs}).encode())


def _posted(body: bytes, header: str = "") -> bytes:
    start = f"POST /v2/models/bright/infer HTTP/1.1\r\nHost: front\r\nContent-Length: {len(body)}\r\n"
    return f"{start}{header}\r\n".encode() + body


def _input(name: str, values: Floats) -> dict[str, object]:
    size = {"binary_data_size": values.nbytes}
    return {"name": name, "shape": values.shape, "datatype": "FP32", "parameters": size}
