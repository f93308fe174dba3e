"""Who the classifier learns from: simulated patients, half of them with metastases, on three cameras.

Camera, counts and scan length are drawn from streams of their own, so nothing about the acquisition tells
the answer. The canvases are made once, in parallel, and kept in a git-ignored folder.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from scintiflow.dicom.canvas import HEIGHT, WIDTH, canvas_view
from scintilab.phantom.camera import CAMERAS, Camera, pixel_of, scan
from scintilab.phantom.lesions import METASTASIS
from scintilab.phantom.patient import Patient, draw_patient
from scintilab.phantom.streams import stream

SEED = 1
TRAIN, VALIDATE, TEST = (0, 2600), (2600, 3000), (3000, 3500)
"""Patients of population SEED, from and to: to learn from, to choose the threshold with, to be judged by."""


class Population(NamedTuple):
    """Scans of n patients on the canvas, and the truth about them."""

    canvas: NDArray[np.float16]
    """[n, 2, 512, 256], mean counts per canvas pixel."""
    metastatic: NDArray[np.bool_]
    """[n]."""
    spots: tuple[NDArray[np.float64], ...]
    """For each patient, where metastases are: [k, 2], row and column on the anterior canvas."""

    def part(self, start: int, stop: int) -> "Population":
        """Return patients start to stop."""
        rows = slice(start, stop)
        return Population(self.canvas[rows], self.metastatic[rows], self.spots[rows])


def acquire(
    seed: int, number: int, *, metastatic: bool, camera: Camera | None = None
) -> tuple[Patient, Camera, NDArray[np.uint16]]:
    """Draw a patient and a protocol, and scan: counts uint16 [2, 1024, 256]."""
    protocol = stream(seed, number, "protocol")
    chosen = CAMERAS[protocol.integers(len(CAMERAS))]
    counts = float(np.clip(protocol.lognormal(np.log(0.9e6), 0.4), 0.35e6, 2.5e6))
    patient = draw_patient(seed, number, metastatic=metastatic)
    camera = camera or chosen
    return (
        patient,
        camera,
        scan(patient, camera, counts, stream(seed, number, "noise"), top_mm=protocol.uniform(40, 120)),
    )


def population(seed: int, count: int, cache: Path, *, processes: int = 2) -> Population:
    """Return `count` patients of population `seed`, from the cache folder when they are there already."""
    cache.mkdir(parents=True, exist_ok=True)
    canvases, truth = cache / f"canvas-{seed}-{count}.npy", cache / f"truth-{seed}-{count}.npz"
    if not truth.exists():
        _simulate(seed, count, canvases, truth, processes)
    known = np.load(truth)
    spots = tuple(known["spots"][known["patient"] == number] for number in range(count))
    return Population(np.load(canvases, mmap_mode="r"), known["metastatic"], spots)


def _simulate(seed: int, count: int, canvases: Path, truth: Path, processes: int) -> None:
    canvas = np.lib.format.open_memmap(canvases, "w+", np.float16, (count, 2, HEIGHT, WIDTH))
    metastatic = np.array([stream(seed, number, "disease").random() < 0.5 for number in range(count)])
    spots: list[NDArray[np.float64]] = []
    for number, (views, places) in enumerate(_scans(seed, metastatic, processes)):
        canvas[number] = views
        spots.append(places)
    patient = np.repeat(np.arange(count), [len(places) for places in spots])
    canvas.flush()
    np.savez(truth, metastatic=metastatic, spots=np.concatenate(spots), patient=patient)


def _scans(
    seed: int, metastatic: NDArray[np.bool_], processes: int
) -> Iterator[tuple[NDArray[np.float16], NDArray[np.float64]]]:
    with ProcessPoolExecutor(processes) as pool:
        numbers = range(len(metastatic))
        jobs = pool.map(_one, [seed] * len(metastatic), numbers, metastatic.tolist(), chunksize=8)
        yield from track(jobs, "Scanning simulated patients", total=len(metastatic))


def _one(seed: int, number: int, metastatic: bool) -> tuple[NDArray[np.float16], NDArray[np.float64]]:
    patient, camera, counts = acquire(seed, number, metastatic=metastatic)
    canvas = np.stack([canvas_view(view) for view in counts]).astype(np.float16)
    centres = np.array([lesion.centre for lesion in patient.lesions if lesion.kind == METASTASIS]).reshape(-1, 3)
    row, col = pixel_of(patient, camera, centres)
    return canvas, np.stack([row * HEIGHT / counts.shape[1], col * WIDTH / counts.shape[2]], 1)
