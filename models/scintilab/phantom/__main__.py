"""Draws a contact sheet of patients: `python -m scintilab.phantom --out patients.png`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from scintilab.phantom.camera import CAMERAS, scan
from scintilab.phantom.patient import draw_patient
from scintilab.phantom.streams import stream


def contact_sheet(
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("build/patients.png"),
    seed: Annotated[int, typer.Option(help="Which population.")] = 0,
    count: Annotated[int, typer.Option(help="How many patients; every second one has metastases.")] = 6,
    counts: Annotated[float, typer.Option(help="Mean counts of a view.")] = 0.9e6,
) -> None:
    """Scan some patients, each with the next camera, and paint their two views side by side."""
    views = []
    for number in range(count):
        patient = draw_patient(seed, number, metastatic=number % 2 == 1)
        noise = stream(seed, number, "noise")
        views += [grey(view) for view in scan(patient, CAMERAS[number % len(CAMERAS)], counts, noise)]
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(views, axis=1)).save(out)
    typer.echo(f"{count} simulated patients are in {out}.")


def grey(counts: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Paint one view as a film: black is hot, and one pixel in a hundred is blacker than black."""
    hot = np.percentile(counts[counts > 0], 99)
    return (255 - 255 * np.clip(counts / hot, 0, 1) ** 0.7).astype(np.uint8)


if __name__ == "__main__":
    typer.run(contact_sheet)
