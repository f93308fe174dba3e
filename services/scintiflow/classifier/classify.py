"""`POST /classify`: one DICOM file in, what every model says about it out, in JSON."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scintiflow.classifier.metrics import REQUESTS
from scintiflow.classifier.roster import Roster, Served
from scintiflow.contracts.v1.study_pb2 import SelectedView, View
from scintiflow.decode import Decoded, decode
from scintiflow.dicom.selection import Selection, candidate, select
from scintiflow.errors import Declined, Refused, Unavailable
from scintiflow.inference.manifest import Manifest
from scintiflow.inference.suitability import why_not
from scintiflow.serving.exchange import Intake, spoken, while_connected

DISCLAIMER = "AI result, not for diagnostic use, research only"
_VIEWS = {View.VIEW_ANTERIOR: "anterior", View.VIEW_POSTERIOR: "posterior"}


@dataclass(frozen=True)
class Classification:
    """Reads single files with every model of a roster; nothing is kept."""

    roster: Roster
    intake: Intake
    deadline: float
    """Seconds that each model may take."""

    def routes(self) -> list[Route]:
        """Return the one route."""
        return [Route("/classify", spoken(REQUESTS, "classify", self._classify), methods=["POST"])]

    async def _classify(self, request: Request) -> Response:
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise HTTPException(
                415, "Send the DICOM file itself as the body, for example curl --data-binary @scan.dcm."
            )
        if not any(served.state == "READY" for served in self.roster.all()):
            raise Unavailable(f"No model is ready. {self.roster.trouble()}")
        try:
            async with self.intake.body(request) as body:
                selection, decoded = await asyncio.to_thread(read_scan, body)
        except Refused as refused:
            raise HTTPException(422, str(refused)) from refused
        findings = await while_connected(request, self._findings(selection, decoded))
        return JSONResponse(
            {
                "views": [_view(view) for view in selection.views],
                "notes": list(selection.notes),
                "findings": findings,
                "disclaimer": DISCLAIMER,
            }
        )

    async def _findings(self, selection: Selection, decoded: Decoded) -> list[dict[str, Any]]:
        return [await self._finding(served, selection, decoded) for served in self.roster.all()]

    async def _finding(self, served: Served, selection: Selection, decoded: Decoded) -> dict[str, Any]:
        manifest, facts = served.manifest, served.facts
        if manifest is None or facts is None:
            return _not_assessed(served, f"The model is not ready: {served.reason}")
        shown = [_VIEWS[view.view] for view in selection.views]
        if reason := why_not(shown, selection.notes, requires=manifest.requires, site=manifest.site):
            return _not_assessed(served, reason)
        answer = await served.answer(decoded.canvas[None], decoded.present[None], within=self.deadline)
        probability = float(answer.probability[0, 0])
        return {
            **_model(served.name, manifest),
            "status": "assessed",
            "reason": "",
            "probability": probability,
            "positive": probability >= manifest.threshold,
            "engine": facts.engine,
            "precision": facts.precision,
        }


def read_scan(body: bytes) -> tuple[Selection, Decoded]:
    """Select and decode the views of one DICOM file, by the rules that hold for whole studies.

    Raises:
        Refused: it is no DICOM file, not for us, or its pixels cannot be decoded.
        Unavailable: the decoder cannot be started.
    """
    digest = hashlib.sha256(body).hexdigest()
    with TemporaryDirectory(prefix="scintiflow-classify-") as folder:
        path = Path(folder) / f"{digest}.dcm"
        path.write_bytes(body)
        selection = select([candidate(digest, 0.0, _header(path), len(body))])
        if not selection.views:
            raise Declined(selection.declined[digest])
        return selection, decode(selection.views, Path(folder))


def _header(path: Path) -> Dataset:
    try:
        deflated = read_file_meta_info(path).TransferSyntaxUID.is_deflated
        header = None if deflated else dcmread(path, stop_before_pixels=True)
    except Exception as error:  # pydicom has no common error for what it cannot read
        raise Refused("The body is not a DICOM file that can be read.") from error
    if header is None:
        raise Refused("A deflated file is not read, because a small one may unfold to any size; send it uncompressed.")
    return header


def _view(view: SelectedView) -> dict[str, Any]:
    return {
        "view": _VIEWS[view.view],
        "frame": view.frame,
        "rule": view.rule,
        "confidence": view.confidence,
        "flags": list(view.flags),
    }


def _model(name: str, manifest: Manifest | None) -> dict[str, Any]:
    """Return what is known of a model before it is asked; null where its manifest cannot be read."""
    return {
        "model": name,
        "version": manifest and manifest.version,
        "digest": manifest and manifest.digest,
        "label": manifest and manifest.label,
        "threshold": manifest and manifest.threshold,
    }


def _not_assessed(served: Served, reason: str) -> dict[str, Any]:
    unknown = dict.fromkeys(("probability", "positive", "engine", "precision"))
    return {**_model(served.name, served.manifest), "status": "not_assessed", "reason": reason, **unknown}
