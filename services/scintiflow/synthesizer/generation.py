"""`POST /v1/generate`: a few scans at once, as one archive."""

import asyncio
import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scintiflow.errors import Refused
from scintiflow.inference.generator_manifest import GeneratorManifest
from scintiflow.serving.exchange import read_body, spoken
from scintiflow.synthesizer.archive import join, pack
from scintiflow.synthesizer.metrics import REQUESTS
from scintiflow.synthesizer.served import Served
from scintiflow.synthesizer.wanted import LARGEST_SEED, Wanted, form, read

AT_ONCE = 64
"""Scans that one request may have answered at once."""

_LARGEST_BODY = 1 << 16


class Generation:
    """Answers while somebody waits; nothing is kept."""

    def __init__(self, served: Served, *, maximum_waiting: int, deadline: float) -> None:
        self._served = served
        self._maximum_waiting = maximum_waiting
        self._deadline = deadline
        self._waiting = 0

    def routes(self) -> list[Route]:
        """Return the one route."""
        return [Route("/v1/generate", spoken(REQUESTS, "generate", self._generate), methods=["POST"])]

    async def _generate(self, request: Request) -> Response:
        synthesis = self._served.synthesis()
        wanted = await wanted_of(request, synthesis.manifest, most=AT_ONCE)
        with self._place(wanted.count):
            entries = await synthesis.entries(
                wanted, seed_of(wanted), range(wanted.count), within=self._deadline, bulk=False
            )
        archive = await asyncio.to_thread(lambda: b"".join(join([io.BytesIO(pack(entries))], wanted.format)))
        headers = {"Content-Disposition": 'attachment; filename="scans.zip"'}
        return Response(archive, headers=headers, media_type="application/zip")

    @contextmanager
    def _place(self, scans: int) -> Iterator[None]:
        """Keep a place in the queue while the block runs; raises HTTPException 429 where there is none."""
        if self._waiting + scans > self._maximum_waiting:
            raise HTTPException(
                429,
                f"{self._waiting} scans are being made, and {self._maximum_waiting} may be; ask again later, or send"
                " the request to /v1/batches.",
                {"Retry-After": str(self._served.seconds_for(self._waiting))},
            )
        self._waiting += scans
        try:
            yield
        finally:
            self._waiting -= scans


async def wanted_of(request: Request, manifest: GeneratorManifest, *, most: int) -> Wanted:
    """Read what a request asks for; raises HTTPException 422 with a sentence for each field that breaks a rule."""
    try:
        return read(form(manifest, most=most), await read_body(request, _LARGEST_BODY))
    except Refused as refused:
        raise HTTPException(422, str(refused)) from refused


def seed_of(wanted: Wanted) -> int:
    """Return the seed that was asked for, or draw one."""
    return secrets.randbelow(LARGEST_SEED + 1) if wanted.seed is None else wanted.seed
