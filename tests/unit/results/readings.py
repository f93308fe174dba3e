"""Small scans and findings for the tests of results."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from scintiflow.contracts.v1.finding_pb2 import Code, Finding, HeatMap
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView, View
from scintiflow.dicom.writing import Patient, whole_body_image
from scintiflow.results import Reading, Scan

ROWS, COLUMNS = 256, 64
ENCODED_AT = datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=UTC)
METASTASES = Code(value="94222008", scheme="SCT", meaning="Bony metastasis")
UPTAKE = Code(value="PERUGINI-GE2", scheme="99SCINTIFLOW", meaning="Perugini grade 2 or 3")
HEART = Code(value="80891009", scheme="SCT", meaning="Heart")


def scan(frames: int = 2, name: str = "Doe^Jane", **changes: Any) -> Dataset:
    """Return the NM object of one scan, with `changes` made to its header."""
    counts = np.random.Generator(np.random.Philox(7)).poisson(4, (frames, ROWS, COLUMNS)).astype(np.uint16)
    image = whole_body_image(
        counts,
        patient=Patient(name, "P-1", date(1950, 1, 1), "F"),
        acquired_at=datetime(2026, 3, 1, 10, 0),
        start_angles=(180.0, 0.0)[:frames],
    )
    for keyword, value in changes.items():
        setattr(image, keyword, value)
    return image


def secondary_capture_scan() -> Dataset:
    """Return a scan of one view that came as a Secondary Capture and counts its frame, as the NEMA scans do."""
    return scan(1, SOPClassUID=SecondaryCaptureImageStorage)


def shows(view: View, source: Dataset, frame: int = 1, **facts: Any) -> SelectedView:
    """Return that `frame` of `source` shows `view`."""
    told = {"rule": "view code", "confidence": "high"} | facts
    return SelectedView(
        view=view, sop_class_uid=source.SOPClassUID, sop_instance_uid=source.SOPInstanceUID, frame=frame, **told
    )


def both_views(source: Dataset) -> list[SelectedView]:
    """Return the two views of a two-frame object."""
    return [shows(VIEW_ANTERIOR, source, 1), shows(VIEW_POSTERIOR, source, 2)]


def heat(*cells: tuple[int, int, float], shape: tuple[int, int] = (32, 32)) -> HeatMap:
    """Return a heat map with some cells set: row, column, value."""
    values = np.zeros(shape, "<f4")
    for row, column, value in cells:
        values[row, column] = value
    return HeatMap(height=shape[0], width=shape[1], values=values.tobytes())


def finding(views: Sequence[SelectedView], probability: float = 0.93, **changes: Any) -> Finding:
    """Return what a model answers on `views`."""
    facts: dict[str, Any] = {
        "study": "0" * 32,
        "revision": 1,
        "model": "metastasis",
        "model_version": "0.1.0",
        "model_digest": "c0ffee" * 10 + "abcd",
        "status": Finding.STATUS_ASSESSED,
        "label": "bone metastases",
        "question": METASTASES,
        "probability": probability,
        "threshold": 0.5,
        "positive": probability >= 0.5,
        "engine": "openvino 2026.4.1",
        "precision": "bf16",
        "map": heat((8, 7, 5.0)),
        "views": views,
    }
    return Finding(**facts | changes)


def left_out(model: str, reason: str) -> Finding:
    """Return that `model` could not assess the study."""
    return Finding(model=model, status=Finding.STATUS_NOT_ASSESSED, reason=reason)


def reading(
    *sources: Dataset, found: Finding | None = None, others: Sequence[Finding] = (), earlier: Dataset | None = None
) -> Reading:
    """Return everything that a result is made of; one two-frame scan unless told otherwise."""
    sources = sources or (scan(),)
    found = found or finding(both_views(sources[0]))
    return Reading(
        finding=found,
        others=tuple(others),
        scan=Scan({view.view: frame_of(sources, view) for view in found.views}, (2.4, 2.4), sources),
        predecessor=earlier,
        encoded_at=ENCODED_AT,
    )


def frame_of(sources: Sequence[Dataset], view: SelectedView) -> NDArray[np.float32]:
    """Return the counts that `view` points at."""
    source = next(source for source in sources if source.SOPInstanceUID == view.sop_instance_uid)
    frames = np.frombuffer(source.PixelData, np.uint16).reshape(-1, ROWS, COLUMNS)
    return frames[view.frame - 1].astype(np.float32)
