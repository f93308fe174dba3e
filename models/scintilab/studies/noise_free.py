"""What scans of simulated patients expect before any photon is counted: noise would hide a copy."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from scintiflow.dicom.canvas import canvas_view
from scintiflow.inference.session import Floats
from scintilab.phantom.acquisition import draw_acquisition
from scintilab.phantom.camera import expose
from scintilab.phantom.cohort import CHUNK, Cohort
from scintilab.phantom.disease import HEALTHY, Disease
from scintilab.phantom.patient import draw_patient
from scintilab.phantom.priors import digest
from scintilab.studies.coarse import shrunk


def noise_free(cohort: Cohort, rows: NDArray[np.intp], kept: Path, *, healthy: bool = False) -> Floats:
    """Return expected counts per canvas pixel of some scans, coarse: float32 [n, 2, 256, 64].

    They are computed once and kept in a folder; a run that was cut off goes on where it stopped.

    Args:
        cohort: simulated patients; their pixels stay on disk.
        rows: which scans.
        kept: a folder.
        healthy: the same patients without disease.
    """
    folder = kept / f"{cohort.site}-{cohort.seed}-{digest()[:12]}{'-healthy' * healthy}"
    folder.mkdir(parents=True, exist_ok=True)
    truth, disease = cohort.truth, HEALTHY if healthy else None
    who = [(int(truth.patient[row]), int(truth.visit[row])) for row in rows]
    chunks = [who[start : start + CHUNK] for start in range(0, len(who), CHUNK)]
    missing = [some for some in chunks if not _file(folder, some).exists()]
    for some in track(missing, f"Site {cohort.site} without noise", disable=not missing):
        _save(_file(folder, some), np.stack([_expected(cohort, *each, disease) for each in some]))
    return np.concatenate([np.load(_file(folder, some)) for some in chunks])


def _expected(cohort: Cohort, number: int, visit: int, disease: Disease | None) -> Floats:
    patient = draw_patient(cohort.seed, cohort.site, number, visit=visit, disease=disease)
    rate = expose([patient], [draw_acquisition(cohort.seed, cohort.site, number, visit)]).rate[0]
    canvas = np.stack([canvas_view(view) for view in rate.numpy()])
    coarse: Floats = shrunk(canvas[None])[0]
    return coarse


def _file(folder: Path, who: list[tuple[int, int]]) -> Path:
    return folder / f"{hashlib.sha256(str(who).encode()).hexdigest()[:16]}.npy"


def _save(file: Path, canvas: Floats) -> None:
    """Let a file appear when it is whole."""
    with file.with_suffix(".part").open("wb") as out:
        np.save(out, canvas)
    file.with_suffix(".part").rename(file)
