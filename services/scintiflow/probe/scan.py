"""The scan that the probe sends: a body drawn with two ellipses, which is nobody's and says so."""

from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from scintiflow.dicom.identity import PROBE_PATIENT
from scintiflow.dicom.writing import Patient, whole_body_image

_ROWS, _COLUMNS = 1024, 256
_PATIENT = Patient("Probe^Scintiflow", PROBE_PATIENT, date(1950, 1, 1))


def probe_scan(now: datetime) -> Dataset:
    """Return a delayed bone scan, anterior and posterior, of a study of its own, marked as synthetic."""
    random = np.random.default_rng(now.microsecond)
    counts = random.poisson(np.stack([_body(), _body()[:, ::-1]])).astype(np.uint16)
    return whole_body_image(
        counts, patient=_PATIENT, acquired_at=now, study_uid=generate_uid(prefix="2.25."), synthetic=True
    )


def _body() -> NDArray[np.float64]:
    """Mean counts of a head and a trunk, [rows, columns]."""
    rows, columns = np.mgrid[:_ROWS, :_COLUMNS]

    def ellipse(row: float, column: float, height: float, width: float) -> NDArray[np.float64]:
        inside: NDArray[np.float64] = ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1
        return inside.astype(np.float64)

    return 0.2 + 8 * ellipse(100, 128, 70, 40) + 6 * ellipse(520, 128, 340, 80)
