"""Judges the served graph on patients held back from training: `python -m scintilab.metastasis.evaluate`.

What this prints is what CARD.md quotes.
"""

import tomllib
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
import typer
from numpy.typing import NDArray
from rich.progress import track

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.evaluate import area_under_curve, bootstrap, sensitivity, specificity
from scintilab.metastasis.population import SEED, TEST, Population, population

NEAR_MM = 40
"""A map points at a metastasis when its hottest cell's middle is this near: about one cell."""
_CANVAS_MM = np.array([4.8, 2.4])
"""Height and width of a canvas pixel at 2.4 mm a camera pixel; the other cameras differ by at most 8 %."""


def evaluate(
    model: Annotated[Path, typer.Option(help="Served folder.")] = Path("models/metastasis"),
    work: Annotated[Path, typer.Option(help="Folder with the canvases.")] = Path("build/metastasis"),
) -> None:
    """Print AUC, sensitivity, specificity and how often the map points at a metastasis."""
    threshold = tomllib.loads((model / "manifest.toml").read_text())["model"]["threshold"]
    patients = population(SEED, TEST[1], work).part(*TEST)
    probability, maps = _read(model / "model.onnx", patients)
    sick, positive = patients.metastatic, probability >= threshold
    typer.echo(f"{len(sick)} held-back simulated patients, {sick.sum()} with metastases; threshold {threshold}")
    typer.echo(f"AUC          {bootstrap(area_under_curve, sick, probability)}")
    typer.echo(f"Sensitivity  {bootstrap(sensitivity, sick, positive)}")
    typer.echo(f"Specificity  {bootstrap(specificity, sick, positive)}")
    burden = np.array([len(spots) for spots in patients.spots])
    for low, high in ((1, 2), (3, 9), (10, 60)):
        group = (burden >= low) & (burden <= high)
        typer.echo(f"  sensitivity with {low} to {high} metastases: {positive[group].mean():.2f} of {group.sum()}")
    hits = [points_at(maps[i], patients.spots[i]) for i in np.flatnonzero(sick & positive)]
    typer.echo(f"The hottest cell is at a metastasis in {np.mean(hits):.2f} of {len(hits)} true positives.")


def points_at(evidence: NDArray[np.float32], spots: NDArray[np.float64]) -> bool:
    """Tell whether the hottest cell of a map [h, w] lies at one of the metastases.

    Args:
        evidence: both views side by side.
        spots: [k, 2], row and column on the anterior canvas; the posterior view shows them mirrored.
    """
    rows, cols = evidence.shape
    row, col = np.unravel_index(evidence.argmax(), evidence.shape)
    middle = np.array([(row + 0.5) * HEIGHT / rows, (col + 0.5) * 2 * WIDTH / cols])
    if middle[1] > WIDTH:
        middle[1] = 2 * WIDTH - middle[1]
    distance = np.linalg.norm((spots - middle) * _CANVAS_MM, axis=1)
    return bool(distance.min() <= NEAR_MM)


def _read(graph: Path, patients: Population) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return probabilities [n] and maps [n, h, w]."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    present = np.ones((1, 2), np.float32)
    answers = [
        session.run(["probability", "map"], {"canvas": canvas[None].astype(np.float32), "present": present})
        for canvas in track(patients.canvas, "Reading held-back patients")
    ]
    return np.concatenate([p[:, 0] for p, _ in answers]), np.concatenate([m[:, 0] for _, m in answers])


if __name__ == "__main__":
    typer.run(evaluate)
