"""A synthetic scan, and the files that it becomes."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from scintiflow.dicom.identity import synthetic_study_uid
from scintiflow.dicom.recurring import settle
from scintiflow.dicom.writing import TRACERS, Patient, whole_body_image
from scintiflow.synthesizer.wanted import FormatName

_NO_DAY = datetime(2000, 1, 1, 12, 0)
"""Nobody was scanned, so no day is true; with one for all, the same scan is the same file."""


@dataclass(frozen=True)
class Scan:
    """Counts uint16 [2, 1024, 256] (anterior, posterior as seen from behind), and its labels."""

    counts: NDArray[np.uint16]
    labels: Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """What becomes of a scan: column of labels.csv -> the ending of the file that it names, and their bytes."""

    endings: Mapping[str, str]
    encode: Callable[[Scan], Mapping[str, bytes]]

    def names(self, index: int) -> dict[str, str]:
        """Return what the files of a scan are called in an archive, by column."""
        return {column: f"scans/{index:06}{ending}" for column, ending in self.endings.items()}


def patient_of(labels: Mapping[str, Any]) -> str:
    """Return the identifier of a patient who does not exist: another one for each scan."""
    return f"SYNTHETIC-{labels['seed']}-{labels['index']}"


def _dicom(scan: Scan) -> Mapping[str, bytes]:
    labels = scan.labels
    said = json.dumps(labels)
    image = whole_body_image(
        scan.counts,
        patient=Patient(f"Synthetic^{labels['seed']}-{labels['index']}", patient_of(labels), None, labels["sex"] or ""),
        acquired_at=_NO_DAY,
        tracer=TRACERS.get(labels["tracer"]),
        study_uid=synthetic_study_uid(said),
        synthetic=True,
    )
    image.ImageComments = said
    file = io.BytesIO()
    settle(image).save_as(file, enforce_file_format=True)
    return {"study": file.getvalue()}


def _npz(scan: Scan) -> Mapping[str, bytes]:
    file = io.BytesIO()
    np.savez(file, counts=scan.counts, labels=np.array(json.dumps(scan.labels)))
    return {"file": file.getvalue()}


def _png(scan: Scan) -> Mapping[str, bytes]:
    return {view: _picture(scan.counts[number], scan.labels) for number, view in enumerate(("anterior", "posterior"))}


def _picture(counts: NDArray[np.uint16], labels: Mapping[str, Any]) -> bytes:
    words = PngImagePlugin.PngInfo()
    words.add_text("labels", json.dumps(labels))
    file = io.BytesIO()
    Image.fromarray(counts).save(file, "PNG", compress_level=1, pnginfo=words)
    return file.getvalue()


FORMATS: dict[FormatName, Format] = {
    "dicom": Format({"study": ".dcm"}, _dicom),
    "npz": Format({"file": ".npz"}, _npz),
    "png": Format({"anterior": "-anterior.png", "posterior": "-posterior.png"}, _png),
}
