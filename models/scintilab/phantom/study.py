"""A simulated scan as a study of its own: an NM object with two frames, and the truth beside it."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from scintiflow.dicom.writing import TRACERS, whole_body_image
from scintiflow.dicom.writing import Patient as Subject
from scintilab.phantom.camera import Acquisition
from scintilab.phantom.foci import bone_scan_index
from scintilab.phantom.patient import Patient
from scintilab.phantom.template import template


def study(
    patient: Patient,
    how: Acquisition,
    counts: NDArray[np.uint16],
    *,
    number: int,
    transfer_syntax: UID = ExplicitVRLittleEndian,
) -> Dataset:
    """Describe a scan as an NM Image Storage object marked Synthetic Data = YES.

    Args:
        patient: who was scanned.
        how: they were scanned.
        counts: uint16 [2, rows, cols], anterior and posterior.
        number: of the patient; names and dates follow from it.
        transfer_syntax: uncompressed, or a lossless one.
    """
    acquired_at = datetime(2025, 6, 2, 8, 0) + timedelta(minutes=40 * number)
    born = date(acquired_at.year - patient.person.age - 1, 12, 31)
    return whole_body_image(
        counts,
        patient=Subject(f"Simulated^Patient{number}", f"SIMULATED-{number:04d}", born, patient.person.sex),
        acquired_at=acquired_at,
        injected_at=acquired_at - timedelta(hours=how.hours),
        pixel_mm=(how.camera.pixel, how.camera.pixel),
        tracer=TRACERS[patient.tracer],
        synthetic=True,
        transfer_syntax=transfer_syntax,
    )


def truth(patient: Patient, how: Acquisition) -> dict[str, Any]:
    """Return what is known of a simulated scan, as plain values."""
    return {
        "data": "simulated patient",
        "metastases": sum(focus.kind == "metastasis" for focus in patient.foci),
        "bone_scan_index_percent": round(bone_scan_index(template(), patient.foci), 3),
        "perugini": patient.disease.perugini,
        "person": asdict(patient.person),
        "tracer": patient.tracer,
        "injection": patient.injection,
        "primary": patient.primary,
        "acquisition": {**how._asdict(), "camera": how.camera.name},
        "foci": [{"kind": focus.kind, "bone": focus.bone, "rise": round(focus.rise, 2)} for focus in patient.foci],
    }
