"""The Open Inference Protocol v2 over HTTP, as KServe and Triton clients speak it: `/v2/...`."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import scintiflow
from scintiflow.classifier.metrics import REQUESTS
from scintiflow.classifier.roster import Roster, Served
from scintiflow.classifier.tensors import DATATYPE, Asked, parse, render
from scintiflow.errors import Refused
from scintiflow.inference.engine import INPUTS
from scintiflow.inference.manifest import Manifest
from scintiflow.serving.exchange import Intake, read_body, spoken, while_connected

HEADER_LENGTH = "Inference-Header-Content-Length"
_AT_ONCE = 4 << 20
"""Bytes of binary tensors that are checked where HTTP is answered; more, and any JSON, would hold it up."""
_EXTENSIONS = ["binary_tensor_data", "schedule_policy"]
_OUTPUT_SHAPES = {"probability": [-1, -1], "logit": [-1, -1], "map": [-1, -1, -1, -1]}


@dataclass(frozen=True)
class InferenceProtocol:
    """The protocol's calls for the models of a roster."""

    roster: Roster
    intake: Intake
    deadline: float
    """Seconds that an inference request may take."""

    def routes(self) -> list[Route]:
        """Return the protocol's routes."""
        routes = [
            Route("/v2", spoken(REQUESTS, "server", self._server)),
            Route("/v2/health/live", spoken(REQUESTS, "live", self._live)),
            Route("/v2/health/ready", spoken(REQUESTS, "ready", self._ready)),
            Route("/v2/repository/index", spoken(REQUESTS, "index", self._index), methods=["POST"]),
        ]
        for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
            routes += [
                Route(model, spoken(REQUESTS, "model", self._model)),
                Route(f"{model}/ready", spoken(REQUESTS, "model_ready", self._model_ready)),
                Route(f"{model}/infer", spoken(REQUESTS, "infer", self._infer), methods=["POST"]),
            ]
        return routes

    async def _server(self, request: Request) -> Response:
        return JSONResponse({"name": "scintiflow", "version": scintiflow.__version__, "extensions": _EXTENSIONS})

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, request: Request) -> Response:
        ready = self.roster.trouble() is None
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def _index(self, request: Request) -> Response:
        """List the models; `{"ready": true}` asks for those that are ready only."""
        body = await read_body(request, 1 << 10)
        only_ready = _wants_ready_only(body)
        models = [one for one in self.roster.all() if one.state == "READY" or not only_ready]
        return JSONResponse(
            [
                {
                    "name": one.name,
                    "version": one.manifest.version if one.manifest else "",
                    "state": one.state,
                    "reason": one.reason,
                }
                for one in models
            ]
        )

    async def _model(self, request: Request) -> Response:
        served, manifest = self._named(request)
        return JSONResponse(
            {
                "name": served.name,
                "versions": [manifest.version],
                "platform": "onnx_onnxv1",
                "inputs": [_tensor(name, [-1, *shape]) for name, shape in INPUTS.items()],
                "outputs": [_tensor(name, shape) for name, shape in _OUTPUT_SHAPES.items()],
                "parameters": _facts(served, manifest),
            }
        )

    async def _model_ready(self, request: Request) -> Response:
        served, _ = self._named(request)
        ready = served.state == "READY"
        return JSONResponse({"name": served.name, "ready": ready}, 200 if ready else 503)

    async def _infer(self, request: Request) -> Response:
        served, manifest = self._named(request)
        served.require_room()
        asked = await self._asked(request)
        within = min(self.deadline, asked.within or self.deadline)
        at_once = served.idle  # then there is nothing to be gained from listening, and a timer to be lost
        answering = served.answer(asked.canvas, asked.present, within=within, bulk=asked.bulk)
        answer = await (answering if at_once else while_connected(request, answering))
        said, length = render(
            asked,
            answer,
            {
                "model_name": served.name,
                "model_version": manifest.version,
                "parameters": {**_what_runs(served), "digest": manifest.digest},
            },
        )
        if length is None:
            return Response(said, media_type="application/json")
        return Response(said, headers={HEADER_LENGTH: str(length)}, media_type="application/octet-stream")

    async def _asked(self, request: Request) -> Asked:
        length = _header_length(request)
        try:
            async with self.intake.body(request) as body:
                if length is None or len(body) > _AT_ONCE:
                    return await asyncio.to_thread(parse, body, length)
                return parse(body, length)
        except Refused as refused:
            raise HTTPException(400, str(refused)) from refused

    def _named(self, request: Request) -> tuple[Served, Manifest]:
        """Return the model that the path names, and its manifest."""
        served = self.roster.get(request.path_params["name"])
        if served is None:
            raise HTTPException(404, "There is no such model; POST /v2/repository/index lists what is served.")
        if served.manifest is None:
            raise HTTPException(503, f"The model {served.name} is not ready: {served.reason}")
        if request.path_params.get("version", served.manifest.version) != served.manifest.version:
            raise HTTPException(404, f"{served.name} is served in version {served.manifest.version} only.")
        return served, served.manifest


def _facts(served: Served, manifest: Manifest) -> dict[str, Any]:
    """Return what the manifest says and what really runs; all of that is null until it does."""
    told = manifest.model_dump(
        mode="json", include={"version", "digest", "label", "requires", "threshold", "evidence", "question", "site"}
    )
    facts = served.facts
    return {
        **told,
        **_what_runs(served),
        "device": facts and facts.device,
        "mode": facts and facts.mode,
        "nodes": facts and dict(facts.nodes),
    }


def _what_runs(served: Served) -> dict[str, Any]:
    facts = served.facts
    return {"engine": facts and facts.engine, "precision": facts and facts.precision}


def _tensor(name: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": DATATYPE, "shape": shape}


def _header_length(request: Request) -> int | None:
    text = request.headers.get(HEADER_LENGTH)
    if text is not None and not text.isdecimal():
        raise HTTPException(400, f"{HEADER_LENGTH} is a number of bytes.")
    return None if text is None else int(text)


def _wants_ready_only(body: bytes) -> bool:
    try:
        asked = json.loads(body or b"{}")
        return bool(asked.get("ready", False))
    except (ValueError, AttributeError) as error:
        raise HTTPException(400, 'The body is empty, or a JSON object such as {"ready": true}.') from error
