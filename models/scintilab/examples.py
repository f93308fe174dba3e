"""Writes example studies: the first patients of a population that nobody learns from, whatever is read from them.

Rebuilding them with the same versions gives the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import count, islice
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import JPEGLSLossless

from scintiflow.dicom.writing import MDP, whole_body_image
from scintiflow.dicom.writing import Patient as Subject
from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import scan
from scintilab.phantom.patient import Disease, draw_disease, draw_patient

SITE = "A"
SEED = 20250
"""Of a population far from the one that parts are made of."""
TRACERS = {
    "MDP": MDP,
    "HDP": Code("53951001", "SCT", "Technetium Tc^99m^ oxidronate"),
    "PYP": Code("764821009", "SCT", "Technetium Tc^99m^ pyrophosphate"),
}
"""Coded in DICOM CID 25, which has no code for DPD."""

Kinds = Mapping[str, Callable[[Disease], bool]]


def examples(out: Path, kinds: Kinds, *, first: int, each: int = 4) -> None:
    """Write NM files, losslessly compressed, named by kind and number from 1.

    Args:
        out: folder to write.
        kinds: name -> whose scan it is.
        first: number from which on patients are looked at; other models' examples are other patients.
        each: how many of each kind.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, is_one in kinds.items():
        for place, number in enumerate(islice(_numbers(is_one, first), each), start=1):
            example(number).save_as(out / f"{name}-{place}.dcm", enforce_file_format=True)


def example(number: int) -> Dataset:
    """Scan one simulated patient and describe the scan as a study of its own."""
    patient, how = draw_patient(SEED, SITE, number), draw_acquisition(SEED, SITE, number)
    acquired_at = datetime(2025, 6, 2, 13, 0) + timedelta(minutes=40 * number)
    born = date(acquired_at.year - patient.person.age, 1, 1)
    return whole_body_image(
        scan(patient, how, noise_of(SEED, SITE, number)),
        patient=Subject(f"Simulated^Patient{number}", f"SIMULATED-{number:04d}", born, patient.person.sex),
        acquired_at=acquired_at,
        injected_at=acquired_at - timedelta(minutes=round(60 * how.hours)),
        pixel_mm=(how.camera.pixel, how.camera.pixel),
        tracer=TRACERS.get(patient.tracer),
        synthetic=True,
        transfer_syntax=JPEGLSLossless,
    )


def _numbers(is_one: Callable[[Disease], bool], first: int) -> Iterator[int]:
    return (number for number in count(first) if is_one(draw_disease(SEED, SITE, number)))
