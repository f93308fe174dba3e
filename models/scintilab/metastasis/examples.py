"""Writes the eight example studies: `python -m scintilab.metastasis.examples --out models/metastasis/examples`.

They are the first eight patients of a population that no training ever sees, not chosen by how well they
are read. Rebuilding them with the same versions gives the same bytes.
"""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless

from scintiflow.dicom.writing import Patient as Subject
from scintiflow.dicom.writing import whole_body_image
from scintilab.metastasis.population import acquire
from scintilab.phantom.camera import SYMBIA

SEED = 20250
"""Far from the seeds that training uses."""


def examples(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("models/metastasis/examples"),
    each: Annotated[int, typer.Option(help="How many of each kind.")] = 4,
) -> None:
    """Write losslessly compressed NM files: normal-1.dcm ... and metastases-1.dcm ..."""
    out.mkdir(parents=True, exist_ok=True)
    for metastatic, name in ((False, "normal"), (True, "metastases")):
        for number in range(1, each + 1):
            study = example(number + metastatic * each, metastatic=metastatic)
            study.save_as(out / f"{name}-{number}.dcm", enforce_file_format=True)
    typer.echo(f"{2 * each} example studies are in {out}.")


def example(number: int, *, metastatic: bool) -> Dataset:
    """Scan one simulated patient and describe the scan as a study of its own."""
    patient, camera, counts = acquire(SEED, number, metastatic=metastatic, camera=SYMBIA)
    acquired_at = datetime(2025, 6, 2, 13, 0) + timedelta(minutes=40 * number)
    born = date(acquired_at.year - patient.age, 1, 1)
    return whole_body_image(
        counts,
        patient=Subject(f"Simulated^Patient{number}", f"SIMULATED-{number:04d}", born, patient.sex),
        acquired_at=acquired_at,
        pixel_mm=(camera.pixel, camera.pixel),
        synthetic=True,
        transfer_syntax=JPEGLSLossless,
    )


if __name__ == "__main__":
    typer.run(examples)
