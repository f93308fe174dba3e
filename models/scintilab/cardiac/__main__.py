"""Makes the cardiac classifier: `python -m scintilab.cardiac train`, then `export`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from scintilab.cardiac.network import Network
from scintilab.cardiac.train import Lengths
from scintilab.cardiac.train import train as take_lesson
from scintilab.evaluate import threshold_at_specificity
from scintilab.examples import Kinds
from scintilab.examples import examples as write_examples
from scintilab.graph import Concept, Description
from scintilab.head import fold
from scintilab.phantom.disease import HEALTHY
from scintilab.training import command

SPECIFICITY = 0.98

KINDS: Kinds = {
    "cardiac": lambda disease: disease.cardiac and not disease.metastatic,
    "both": lambda disease: disease.cardiac and disease.metastatic,
}
FIRST_EXAMPLE = 1000

DESCRIPTION = Description(
    name="cardiac",
    version="1.0.0",
    label="cardiac uptake",
    requires=("anterior",),
    question=Concept("PERUGINI-GE2", "99SCINTIFLOW", "Perugini grade 2 or 3 uptake"),
    site=Concept("80891009", "SCT", "Heart"),
    tolerance=(0.02, 0.05),
    golden=(lambda disease: disease == HEALTHY, KINDS["cardiac"]),
)

app = command.application(
    """Make the cardiac classifier: does the heart take up the tracer as Perugini grade 2 or 3 does?

    **train** learns from simulated patients, or from an archive of your own, and **export** writes what is served.
    A training may be stopped at any time; the same command goes on from there, and ends with the same weights.
    """
)


@app.command()
def train(
    patients: command.Patients = command.PATIENTS,
    work: command.Work = Path("build/models/cardiac"),
    archive: command.Table = None,
    share: command.Share = 1.0,
    seed: command.Seed = 1,
    epochs: Annotated[int, typer.Option(help="Epochs with half of the scans positive.")] = 30,
    more_epochs: Annotated[int, typer.Option(help="Epochs with a quarter.")] = 14,
    steps: Annotated[int, typer.Option(help="Steps of each, 16 scans a step.")] = 50,
    threads: command.Threads = 2,
) -> None:
    """Learn, calibrate, choose the threshold (specificity 0.98), and save the weights: 45 minutes on two cores."""
    with command.sentences():
        learners = command.learners("cardiac", patients, share, archive)
        torch.set_num_threads(threads)
        folder = work / f"seed-{seed}"
        network = take_lesson(
            learners.train, folder, learners.terms, seed=seed, lengths=Lengths(epochs, more_epochs, steps)
        )
        command.finish(network, learners.validate, partial(threshold_at_specificity, wanted=SPECIFICITY), folder)


@app.command()
def export(
    work: command.Work = Path("build/models/cardiac"),
    seed: command.Seed = 1,
    out: command.Out = Path("models/cardiac"),
) -> None:
    """Write model.onnx, golden.npz and manifest.toml."""
    with command.sentences():
        command.export(fold(Network().eval()), work / f"seed-{seed}", DESCRIPTION, out)


@app.command()
def examples(out: command.Out = Path("models/cardiac")) -> None:
    """Write the example studies, out/examples, from patients that nobody learns from."""
    write_examples(out / "examples", KINDS, first=FIRST_EXAMPLE, each=2)


if __name__ == "__main__":
    app()
