"""Makes the generator: `python -m scintilab.generator train`, then `export`."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image

from scintilab.generator.conditions import without_disease
from scintilab.generator.flow import Guidance
from scintilab.generator.gate import measure
from scintilab.generator.graph import Generator, embed, serve, unseen
from scintilab.generator.learners import HELD_OUT, Learners, archived, held_out, simulated
from scintilab.generator.sheet import sheet as contact_sheet
from scintilab.generator.train import Lengths, fold, train_flow, train_tokeniser
from scintilab.generator.weights import Weights, load, load_tokeniser
from scintilab.training import command

VERSION = "1.0.0"
WORK = Path("build/models/generator")
STEPS, TIMES, MOST = 4, 7.0, 0.06
"""Chosen with the served classifiers on conditions of held-out patients: CARD.md says how."""
GATED = 60
"""Held-out patients that the tokeniser is measured with."""

Steps = Annotated[int, typer.Option(help="Steps of the tokeniser, 16 parts of scans a step.")]
FlowSteps = Annotated[int, typer.Option(help="Steps of the flow, 64 scans a step.")]
EmphasisSteps = Annotated[int, typer.Option(help="More of them, in which what pictures are made of counts more.")]
Times = Annotated[float, typer.Option(help="How many times what a disease changes, where that is little.")]
Most = Annotated[float, typer.Option(min=0.001, help="What counts as little: mean change of the velocity.")]
Every = Annotated[int, typer.Option(help="Steps after which progress is told.")]

app = command.application(
    """Make the generator of whole-body bone scans.

    **train** learns from simulated patients, or from an archive of your own: first a tokeniser, then a flow. **gate**
    says how much of a lesion the tokeniser keeps, and **export** writes what is served. A training may be stopped at
    any time; the same command goes on from there.
    """
)


@app.command()
def train(
    patients: command.Patients = command.PATIENTS,
    work: command.Work = WORK,
    archive: command.Table = None,
    share: command.Share = 1.0,
    seed: command.Seed = 1,
    tokeniser_steps: Steps = 6000,
    flow_steps: FlowSteps = 8000,
    emphasis_steps: EmphasisSteps = 4500,
    every: Every = 500,
    threads: command.Threads = 2,
) -> None:
    """Learn to fold scans, and then to make folded scans from noise."""
    with command.sentences():
        torch.set_num_threads(threads)
        learners, terms = _learners(patients, share, archive)
        folder, lengths = work / f"seed-{seed}", Lengths(tokeniser_steps, flow_steps, emphasis_steps, every)
        tokeniser = train_tokeniser(learners, folder, terms, seed=seed, lengths=lengths)
        latents = fold(tokeniser, learners.learnt, folder / "latents.npy", seed=seed)
        flow = train_flow(learners, latents, tokeniser, folder, terms, seed=seed, lengths=lengths)
        file = Weights(tokeniser, flow, latents.mean, latents.deviation).save(folder)
        typer.echo(f"Weights in {file}.")


@app.command()
def gate(work: command.Work = WORK, seed: command.Seed = 1, threads: command.Threads = 2) -> None:
    """Say how much of a metastasis the tokeniser keeps, and how near it comes to the true expected counts."""
    with command.sentences():
        torch.set_num_threads(threads)
        tokeniser = load_tokeniser(work / f"seed-{seed}")
        kept = measure(tokeniser, "A", HELD_OUT["A"][:GATED])
        typer.echo(
            f"Of {len(kept.recovery)} lesions in held-out simulated patients the tokeniser keeps a median of "
            f"{kept.median:.3f} of their rise (quartiles {np.quantile(kept.recovery, 0.25):.2f} to "
            f"{np.quantile(kept.recovery, 0.75):.2f}); deviance {kept.deviance:.3f} times that of the truth."
        )


@app.command()
def export(
    patients: command.Patients = command.PATIENTS,
    work: command.Work = WORK,
    archive: command.Table = None,
    share: command.Share = 1.0,
    seed: command.Seed = 1,
    steps: Annotated[int, typer.Option(help="Of the flow, unrolled in the graph.")] = STEPS,
    times: Times = TIMES,
    most: Most = MOST,
    out: command.Out = Path("models/generator"),
) -> None:
    """Write model.onnx, golden.npz, guard.npz and manifest.toml."""
    with command.sentences():
        learners, _ = _learners(patients, share, archive)
        weights = load(work / f"seed-{seed}", learners.slots)
        embedding, guard = embed(weights.tokeniser, learners.learnt, learners.held_out)
        generator = Generator(weights, embedding, steps=steps, guidance=_guidance(times, most, learners))
        digest = serve(generator, guard, learners, VERSION, out)
        size = (out / "model.onnx").stat().st_size / 1e6
        typer.echo(f"{out / 'model.onnx'} has {size:.1f} MB, digest {digest[:12]}.")


@app.command()
def sheet(
    patients: command.Patients = command.PATIENTS,
    work: command.Work = WORK,
    seed: command.Seed = 1,
    steps: Annotated[int, typer.Option(help="Of the flow.")] = STEPS,
    times: Times = TIMES,
    most: Most = MOST,
    each: Annotated[int, typer.Option(help="Scans of a kind.")] = 6,
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("build/synthetic.png"),
) -> None:
    """Paint made scans of every kind, above simulated patients with the same conditions."""
    with command.sentences():
        learners = simulated(patients, 1.0)
        weights = load(work / f"seed-{seed}", learners.slots)
        generator = Generator(weights, unseen(), steps=steps, guidance=_guidance(times, most, learners)).eval()
        painted = contact_sheet(generator, learners.asked, held_out(patients), each=each, seed=seed)
        out.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(painted).save(out)
        typer.echo(f"Made scans, each row above one of simulated patients, are in {out}.")


def _guidance(times: float, most: float, learners: Learners) -> Guidance:
    return Guidance(times, most, *map(torch.from_numpy, without_disease(learners.asked)))


def _learners(patients: Path, share: float, archive: Path | None) -> tuple[Learners, dict[str, Any]]:
    """Return who is learnt from, and what to call them in a checkpoint."""
    learners = archived(archive) if archive else simulated(patients, share)
    return learners, {"patients": str(archive or "simulated"), "scans": len(learners.learnt), "slots": learners.slots}


if __name__ == "__main__":
    app()
