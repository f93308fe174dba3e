"""Cohorts of a site: patients with one or several scans, on the classifiers' canvas, with the truth about each.

A cohort is simulated once, by as many processes as there are cores or on a GPU, and kept in a cache folder; a run that
was stopped goes on where it was. A patient's scans depend on (seed, site, number) alone.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache as once
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from scintiflow.dicom.canvas import HEIGHT, WIDTH, canvas_view
from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import COLS, ROWS, Acquisition, counted, expose
from scintilab.phantom.disease import HEALTHY
from scintilab.phantom.foci import REGIONS, bone_scan_index
from scintilab.phantom.heart import heart_at, heart_ratio
from scintilab.phantom.outcome import Outcome, draw_outcome, hazard
from scintilab.phantom.patient import Patient, draw_patient
from scintilab.phantom.streams import stream
from scintilab.phantom.template import template

CHUNK = 32
"""Patients that are simulated, and kept, at a time."""
_VISITS = (0.88, 0.09, 0.03)
"""Shares of patients with one, two and three scans, a year apart, as far as they live."""


class Truth(NamedTuple):
    """What is known of n scans, a row each."""

    patient: NDArray[np.int64]
    """Number of the patient within the site's population; several scans share it."""
    visit: NDArray[np.int64]
    """0 is the patient's first scan."""
    age: NDArray[np.float64]
    sex: NDArray[np.str_]
    height_mm: NDArray[np.float64]
    bmi: NDArray[np.float64]
    tracer: NDArray[np.str_]
    scanner: NDArray[np.str_]
    injection: NDArray[np.str_]
    counts: NDArray[np.float64]
    """Mean counts of a view."""
    pose: NDArray[np.float64]
    """[n, k]: see `pose.Pose.angles`."""
    primary: NDArray[np.str_]
    perugini: NDArray[np.int64]
    metastases: NDArray[np.int64]
    """How many."""
    bsi: NDArray[np.float64]
    """Percent of skeletal mass."""
    foci: NDArray[np.int64]
    """[n, len(REGIONS)]: every focus, benign or malignant, by region: locations without intensity."""
    heart_ratio: NDArray[np.float64]
    """Heart to contralateral, measured in the noisy anterior view."""
    heart: NDArray[np.float64]
    """[n, 2]: row and column of the left ventricle's middle on the anterior canvas."""
    years: NDArray[np.float64]
    """From this scan to death, or to the end of observation."""
    died: NDArray[np.bool_]
    null_years: NDArray[np.float64]
    """The same patients, had disease no influence on dying."""
    null_died: NDArray[np.bool_]
    metastasis_mask: NDArray[np.uint8]
    """[n, 2, 512, 32]: canvas pixels over metastases, packed by `np.packbits` along columns."""
    benign_mask: NDArray[np.uint8]
    """[n, 2, 512, 32]: canvas pixels over other foci."""


@dataclass(frozen=True, eq=False)
class Cohort:
    """Scans of one site."""

    site: str
    seed: int
    canvas: NDArray[np.float16]
    """[n, 2, 512, 256], mapped from disk: mean counts per canvas pixel, anterior and posterior."""
    truth: Truth

    def __len__(self) -> int:
        return len(self.truth.patient)

    @property
    def metastatic(self) -> NDArray[np.bool_]:
        """Tell which scans show a metastasis."""
        return self.truth.metastases > 0

    @property
    def cardiac(self) -> NDArray[np.bool_]:
        """Tell which scans are of Perugini grade 2 or 3."""
        return self.truth.perugini >= 2

    def part(self, rows: NDArray[Any] | slice) -> "Cohort":
        """Return some scans, by mask, by number or as a slice (which leaves the canvas on disk)."""
        columns: dict[str, Any] = {name: column[rows] for name, column in self.truth._asdict().items()}
        return Cohort(self.site, self.seed, self.canvas[rows], Truth(**columns))


def cohort(site: str, seed: int, patients: range, cache: Path, *, device: str = "cpu") -> Cohort:
    """Return patients of a site's population, from the cache folder when they are there already.

    Args:
        site: "A" to "E".
        seed: of the population.
        patients: their numbers.
        cache: folder to keep them in.
        device: "cpu" (all its cores), or a GPU such as "cuda".
    """
    return _kept(site, seed, patients, cache, device, twins=False)


def twins(site: str, seed: int, patients: range, cache: Path, *, device: str = "cpu") -> Cohort:
    """Return the same patients with the same streams, but nobody has metastases or a heart that takes up tracer."""
    return _kept(site, seed, patients, cache, device, twins=True)


def _kept(site: str, seed: int, patients: range, cache: Path, device: str, *, twins: bool) -> Cohort:
    kind = "twins" if twins else "patients"
    folder = cache / f"{site}-{seed}-{kind}-{patients.start}-{patients.stop}-{_version()}"
    if not (folder / "truth.npz").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _simulate(site, seed, patients, folder, device, twins=twins)
    with np.load(folder / "truth.npz") as kept:
        truth = Truth(*(kept[name] for name in Truth._fields))
    return Cohort(site, seed, np.load(folder / "canvas.npy", mmap_mode="r"), truth)


@once
def _version() -> str:
    """Patients of another phantom are other patients: a digest of this package."""
    digest = hashlib.sha256()
    for path in sorted((*Path(__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.toml"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class _Chunk(NamedTuple):
    """Some patients that one process simulates into one file."""

    site: str
    seed: int
    patients: range
    twins: bool
    device: str
    file: Path


def _simulate(site: str, seed: int, patients: range, folder: Path, device: str, *, twins: bool) -> None:
    """Simulate chunk by chunk, each into a file of its own, then join them."""
    numbers = [patients[start : start + CHUNK] for start in range(0, len(patients), CHUNK)]
    chunks = [_Chunk(site, seed, some, twins, device, folder / f"chunk-{some.start}.npz") for some in numbers]
    missing = [chunk for chunk in chunks if not chunk.file.exists()]
    what = f"Simulating {'twins' if twins else 'patients'} of site {site}"
    for _ in track(_done(missing), what, total=len(missing), disable=not missing):
        pass
    _join([chunk.file for chunk in chunks], folder)


def _done(chunks: Sequence[_Chunk]) -> Iterator[_Chunk]:
    if len(chunks) < 2 or chunks[0].device != "cpu":
        yield from map(_keep, chunks)
        return
    anew = get_context("spawn")  # a fork of a process whose torch has threads may wait for them forever
    with ProcessPoolExecutor(min(len(chunks), os.cpu_count() or 1), anew) as pool:
        try:
            yield from pool.map(_keep, chunks)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _keep(chunk: _Chunk) -> _Chunk:
    """Simulate a chunk, and let its file appear when it is whole."""
    rows = _scans(chunk)
    _save(chunk.file, {name: np.stack([row[name] for row in rows]) for name in rows[0]})
    return chunk


def _join(files: Sequence[Path], folder: Path) -> None:
    chunks = [np.load(file) for file in files]
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in Truth._fields}
    shape = (len(columns["patient"]), 2, HEIGHT, WIDTH)
    canvas = np.lib.format.open_memmap(folder / "canvas.npy", "w+", np.float16, shape)
    row = 0
    for chunk in chunks:
        part = chunk["canvas"]
        canvas[row : row + len(part)] = part
        row += len(part)
    canvas.flush()
    _save(folder / "truth.npz", columns)
    for file in files:
        file.unlink()


def _save(file: Path, columns: dict[str, Any]) -> None:
    part = file.with_suffix(f".{os.getpid()}")
    with part.open("wb") as out:
        np.savez(out, **columns)
    part.rename(file)


class Visit(NamedTuple):
    """One scan of one patient before it is made."""

    number: int
    patient: Patient
    how: Acquisition
    fate: Outcome
    """Counted from this visit."""
    null: Outcome
    """Had disease no influence on dying."""


def visits(site: str, seed: int, number: int) -> Iterator[Visit]:
    """Draw every visit of a patient, a year apart, as long as they live and are followed."""
    planned = 1 + int(np.searchsorted(np.cumsum(_VISITS), stream(seed, site, number, "visits").random(), side="right"))
    patient = draw_patient(seed, site, number)
    person, bsi = patient.person, bone_scan_index(template(), patient.foci)
    fate, null = (
        draw_outcome(stream(seed, site, number, "outcome"), risk)
        for risk in (hazard(person.age, bsi, cardiac=patient.disease.cardiac), hazard(person.age, 0, cardiac=False))
    )
    for visit in range(min(planned, int(np.ceil(min(fate.years, null.years))))):
        patient = draw_patient(seed, site, number, visit=visit) if visit else patient
        yield Visit(number, patient, draw_acquisition(seed, site, number, visit), fate.after(visit), null.after(visit))


def _scans(chunk: _Chunk) -> list[dict[str, Any]]:
    site, seed = chunk.site, chunk.seed
    drawn = [visit for number in chunk.patients for visit in visits(site, seed, number)]
    if chunk.twins:
        drawn = [visit._replace(patient=_healthy(site, seed, visit)) for visit in drawn]
    exposure = expose([visit.patient for visit in drawn], [visit.how for visit in drawn], chunk.device)
    rows = []
    for visit, rate, metastases, others in zip(drawn, *(part.cpu() for part in exposure), strict=True):
        counts = counted(rate, visit.how, noise_of(seed, site, visit.number, visit.patient.visit))
        rows.append(_row(visit, counts, metastases, others))
    return rows


def _healthy(site: str, seed: int, visit: Visit) -> Patient:
    return draw_patient(seed, site, visit.number, visit=visit.patient.visit, disease=HEALTHY)


def heart_on_canvas(patient: Patient, how: Acquisition) -> NDArray[np.float64]:
    """Return row and column of the heart on the anterior canvas."""
    return np.array(heart_at(patient, how)) * (HEIGHT / ROWS, WIDTH / COLS)


def _row(visit: Visit, counts: NDArray[np.uint16], metastases: Tensor, others: Tensor) -> dict[str, Any]:
    patient, how = visit.patient, visit.how
    return {
        "canvas": np.stack([canvas_view(view) for view in counts]).astype(np.float16),
        "patient": visit.number,
        "visit": patient.visit,
        "age": float(patient.person.age + patient.visit),
        "sex": patient.person.sex,
        "height_mm": patient.height_mm,
        "bmi": patient.person.bmi,
        "tracer": patient.tracer,
        "scanner": how.camera.name,
        "injection": patient.injection,
        "counts": float(counts.sum(dtype=np.int64) / len(counts)),
        "pose": patient.pose.angles,
        "primary": patient.primary,
        "perugini": patient.disease.perugini,
        "metastases": sum(focus.kind == "metastasis" for focus in patient.foci),
        "bsi": bone_scan_index(template(), patient.foci),
        "foci": np.array([sum(focus.region == region for focus in patient.foci) for region in REGIONS]),
        "heart_ratio": heart_ratio(counts[0], patient, how),
        "heart": heart_on_canvas(patient, how),
        "years": visit.fate.years,
        "died": visit.fate.died,
        "null_years": visit.null.years,
        "null_died": visit.null.died,
        "metastasis_mask": np.packbits(metastases.numpy(), axis=-1),
        "benign_mask": np.packbits(others.numpy(), axis=-1),
    }
