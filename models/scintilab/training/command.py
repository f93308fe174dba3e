"""What the commands of all classifiers share: options, who is learnt from, and how a training ends."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from rich.console import Console
from torch import nn

from scintiflow.errors import Refused, ScintiflowError
from scintilab.archive import Question
from scintilab.evaluate import area_under_curve
from scintilab.evaluate.scans import Scores, Truth
from scintilab.graph import Description, serve
from scintilab.training.checkpoint import write
from scintilab.training.classifier import Classifier, logits
from scintilab.training.lesson import Stopped
from scintilab.training.material import Material, archived, simulated
from scintilab.training.platt import platt

PATIENTS = Path("build/models/patients")

Patients = Annotated[
    Path, typer.Option(help="Folder of simulated patients; they are made there when they are missing.")
]
Work = Annotated[Path, typer.Option(help="Folder for checkpoints and weights, one folder a seed in it.")]
Table = Annotated[Path | None, typer.Option(help="Learn from an archive instead: its CSV (see `scintilab.archive`).")]
Share = Annotated[float, typer.Option(min=0.001, max=1, help="Share of the simulated patients to use.")]
Seed = Annotated[
    int, typer.Option(help="Of first weights and every draw; trainings of several seeds stand side by side.")
]
Threads = Annotated[int, typer.Option(min=1, help="Processor cores to use; another number rounds otherwise.")]
Out = Annotated[Path, typer.Option(help="Folder to serve.")]


class Learners(NamedTuple):
    """Who is learnt from, who the threshold is chosen with, and what to call them in a checkpoint."""

    train: Material
    validate: Material
    terms: dict[str, Any]


def application(teaching: str) -> typer.Typer:
    """Return an application whose help teaches."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help=teaching)
    app.callback()(lambda: None)
    return app


def learners(question: Question, patients: Path, share: float, archive: Path | None) -> Learners:
    """Return who is learnt from.

    Raises:
        Refused: the archive is not sound, or nobody in a part is sick, or everybody.
    """
    sides = archived(archive, question) if archive else simulated(question, patients, share)
    both_answers("learnt from", sides[0])
    both_answers("validated with", sides[1])
    learnt = sides[0].truth
    terms = {"patients": str(archive or "simulated"), "scans": len(learnt), "sick": int(learnt.sum())}
    return Learners(*sides, terms)


def both_answers(part: str, material: Material) -> None:
    """Make sure that some of a part are sick, and some are not.

    Raises:
        Refused: they are not.
    """
    sick, scans = material.truth.sum(), len(material.truth)
    if not 0 < sick < scans:
        raise Refused(f"Of the scans that are {part}, {sick} of {scans} are sick: use more patients.")


def finish(network: Classifier, validation: Material, choose: Callable[[Truth, Scores], float], folder: Path) -> None:
    """Calibrate, choose the threshold, save the weights, and say how well they do on the patients used for both."""
    logit = logits(network, validation).astype(float)
    line = platt(validation.truth, logit)
    network.head.rescale(*line)
    probability = line.along(logit)
    numbers = {
        "weights": _digest(network),
        "slope": line.slope,
        "intercept": line.intercept,
        "threshold": float(choose(validation.truth, probability)),
        "auc": float(area_under_curve(validation.truth, probability)),
        "scans": len(probability),
    }
    write({"weights": network.state_dict(), "threshold": numbers["threshold"]}, folder / "weights.pt")
    (folder / "validation.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    typer.echo(
        f"AUC {numbers['auc']:.3f} on {numbers['scans']} scans of validation; threshold {numbers['threshold']:.4f}; "
        f"weights in {folder / 'weights.pt'}."
    )


def export(network: nn.Module, folder: Path, description: Description, out: Path) -> None:
    """Serve the weights of a folder.

    Raises:
        Refused: nothing was trained there.
    """
    if not (folder / "weights.pt").exists():
        raise Refused(f"{folder / 'weights.pt'} is not there: train first.")
    saved = torch.load(folder / "weights.pt", weights_only=True)
    network.load_state_dict(saved["weights"])
    digest = serve(network, strict(saved["threshold"]), description, out)
    typer.echo(f"{out / 'model.onnx'} has {(out / 'model.onnx').stat().st_size / 1e6:.1f} MB, digest {digest[:12]}.")


def strict(threshold: float) -> float:
    """Return a threshold with four digits, rounded up, so that no healthy scan gets above it; between 0 and 1."""
    return min(math.ceil(threshold * 1e4), 9999) / 1e4


def _digest(network: Classifier) -> str:
    """Return what tells one set of weights from another."""
    digest = hashlib.sha256()
    for weights in network.state_dict().values():
        digest.update(weights.numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def sentences() -> Iterator[None]:
    """Turn what a person can mend, and a stop, into a sentence and exit code 1."""
    try:
        yield
    except ScintiflowError as error:
        style = "yellow" if isinstance(error, Stopped) else "red"
        Console(stderr=True).print(str(error), style=style, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
