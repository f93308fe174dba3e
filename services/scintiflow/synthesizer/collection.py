"""`/v1/batches`: any number of scans, made in the background and kept until they are fetched or expire."""

from dataclasses import dataclass

from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from scintiflow.serving.exchange import spoken
from scintiflow.store import Store
from scintiflow.synthesizer.batches import Batches
from scintiflow.synthesizer.generation import seed_of, wanted_of
from scintiflow.synthesizer.metrics import REQUESTS
from scintiflow.synthesizer.progress import Progress, view
from scintiflow.synthesizer.served import Served
from scintiflow.synthesizer.settings import SynthesizerSettings

MOST = 1_000_000
"""Scans in one batch, whatever the disk: the ZIP's names and the labels in memory are made for so many."""

_BYTES_A_SCAN = 1_056_768
"""The most that a scan takes on the disk: two frames of 512 KiB and its labels; compressed it is a fraction."""


@dataclass(frozen=True)
class Collection:
    """The batches as a client sees them."""

    served: Served
    batches: Batches
    store: Store
    settings: SynthesizerSettings

    def routes(self) -> list[Route]:
        """Return the routes of the collection and of its members."""
        one = "/v1/batches/{id}"
        return [
            Route("/v1/batches", spoken(REQUESTS, "batch", self._add), methods=["POST"]),
            Route("/v1/batches", spoken(REQUESTS, "batches", self._list)),
            Route(one, spoken(REQUESTS, "progress", self._progress)),
            Route(one, spoken(REQUESTS, "remove", self._remove), methods=["DELETE"]),
            Route(f"{one}/archive", spoken(REQUESTS, "archive", self._archive)),
        ]

    async def _add(self, request: Request) -> Response:
        wanted = await wanted_of(request, self.served.synthesis().manifest, most=MOST)

        def admit(left: list[int]) -> None:
            self._require_place(left)
            self._require_room(wanted.count, promised=sum(left))

        progress = await self.batches.add(wanted, seed_of(wanted), shard=self.settings.shard, admit=admit)
        return JSONResponse(self._view(progress), 202, {"Location": f"/v1/batches/{progress.batch.id}"})

    async def _list(self, request: Request) -> Response:
        await self.batches.look()
        return JSONResponse([self._view(progress) for progress in self.batches.all()])

    async def _progress(self, request: Request) -> Response:
        return JSONResponse(self._view(await self._named(request)))

    async def _remove(self, request: Request) -> Response:
        await self.batches.remove(await self._named(request))
        return Response(status_code=204)

    async def _archive(self, request: Request) -> Response:
        progress = await self._named(request)
        if not progress.finished:
            raise HTTPException(
                409,
                f"{progress.done} of {progress.batch.order.count} scans are made; fetch it when its state is done.",
            )
        headers = {"Content-Disposition": f'attachment; filename="scans-{progress.batch.id}.zip"'}
        pieces = iterate_in_threadpool(progress.batch.archive())
        return StreamingResponse(pieces, headers=headers, media_type="application/zip")

    def _view(self, progress: Progress) -> dict[str, object]:
        return view(progress, keep_days=self.settings.keep_days)

    async def _named(self, request: Request) -> Progress:
        progress = await self.batches.find(request.path_params["id"])
        if progress is None:
            raise HTTPException(404, "There is no such batch; GET /v1/batches lists those that there are.")
        return progress

    def _require_place(self, left: list[int]) -> None:
        if len(left) >= self.settings.maximum_batches:
            raise HTTPException(
                429,
                f"{len(left)} batches are unfinished, and no more may be; ask again later, or delete one.",
                {"Retry-After": str(self.served.seconds_for(min(left)))},
            )

    def _require_room(self, scans: int, *, promised: int) -> None:
        """Refuse what the disk cannot take, before any work is done on it."""
        settings = self.settings
        if scans > (most := settings.maximum_batch_bytes // _BYTES_A_SCAN):
            raise HTTPException(
                413, f"One batch may take as much of the disk as {most} scans; ask for so many at a time."
            )
        room = (self.store.free_bytes() - settings.minimum_free_bytes) // _BYTES_A_SCAN - promised
        if scans > room:
            raise HTTPException(
                507,
                f"The disk has room for {max(room, 0)} more scans; ask for so many, fetch and delete finished batches,"
                " or make room.",
            )
