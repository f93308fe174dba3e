"""Makes the metastasis classifier: `python -m scintilab.metastasis train`, then `export`."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from scintilab.evaluate import best_threshold
from scintilab.examples import Kinds
from scintilab.examples import examples as write_examples
from scintilab.graph import Concept, Description
from scintilab.head import fold
from scintilab.metastasis.network import Network
from scintilab.metastasis.train import Lengths
from scintilab.metastasis.train import train as take_lessons
from scintilab.training import command

KINDS: Kinds = {
    "normal": lambda disease: not (disease.metastatic or disease.cardiac),
    "metastases": lambda disease: disease.metastatic and not disease.cardiac,
}
FIRST_EXAMPLE = 0

DESCRIPTION = Description(
    name="metastasis",
    version="1.0.0",
    label="bone metastases",
    requires=("anterior", "posterior"),
    question=Concept("94222008", "SCT", "Bony metastasis"),
    site=None,
    tolerance=(0.02, 0.05),
    golden=(KINDS["normal"], KINDS["metastases"]),
)

app = command.application(
    """Make the metastasis classifier: VGG16 as in Ibrahim et al. 2023.

    **train** learns from simulated patients, or from an archive of your own, and **export** writes what is served.
    A training may be stopped at any time; the same command goes on from there, and ends with the same weights.
    """
)


@app.command()
def train(
    patients: command.Patients = command.PATIENTS,
    work: command.Work = Path("build/models/metastasis"),
    archive: command.Table = None,
    share: command.Share = 1.0,
    seed: command.Seed = 1,
    cycles: Annotated[int, typer.Option(help="Times over with pieces of scans, in place of ImageNet.")] = 2,
    piece_epochs: Annotated[int, typer.Option(help="Epochs of each.")] = 8,
    piece_steps: Annotated[int, typer.Option(help="Steps of each, 16 pieces a step.")] = 64,
    epochs: Annotated[int, typer.Option(help="Epochs of whole scans.")] = 6,
    steps: Annotated[int, typer.Option(help="Steps of each, 3 or 4 scans a step.")] = 200,
    threads: command.Threads = 2,
) -> None:
    """Learn, calibrate, choose the threshold (Youden), and save the weights: about an hour and a half on two cores."""
    with command.sentences():
        learners = command.learners("metastasis", patients, share, archive)
        torch.set_num_threads(threads)
        folder = work / f"seed-{seed}"
        lengths = Lengths(cycles, piece_epochs, piece_steps, epochs, steps)
        network = take_lessons(learners.train, folder, learners.terms, seed=seed, lengths=lengths)
        command.finish(network, learners.validate, best_threshold, folder)


@app.command()
def export(
    work: command.Work = Path("build/models/metastasis"),
    seed: command.Seed = 1,
    out: command.Out = Path("models/metastasis"),
) -> None:
    """Write model.onnx, golden.npz and manifest.toml."""
    with command.sentences():
        command.export(fold(Network().eval()), work / f"seed-{seed}", DESCRIPTION, out)


@app.command()
def examples(out: command.Out = Path("models/metastasis")) -> None:
    """Write the example studies, out/examples, from patients that nobody learns from."""
    write_examples(out / "examples", KINDS, first=FIRST_EXAMPLE, each=4)


if __name__ == "__main__":
    app()
