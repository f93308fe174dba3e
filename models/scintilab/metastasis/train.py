"""Trains the classifier on simulated patients: `python -m scintilab.metastasis.train`.

About ten minutes on two cores. The weights land in the work folder beside the canvases they learnt from;
`scintilab.metastasis.export` turns them into the served graph.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from scintilab.evaluate import area_under_curve, best_threshold
from scintilab.metastasis.network import Network
from scintilab.metastasis.population import SEED, TEST, TRAIN, VALIDATE, Population, population

BATCH = 16


def train(
    work: Annotated[Path, typer.Option(help="Folder for canvases and weights.")] = Path("build/metastasis"),
    epochs: Annotated[int, typer.Option(help="How often each patient is seen.")] = 8,
    patients: Annotated[int, typer.Option(help="How many patients to learn from.")] = TRAIN[1],
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-3,
    threads: Annotated[int, typer.Option(help="Processor cores to use.")] = 2,
) -> None:
    """Simulate the patients (once), learn, and save weights and threshold."""
    torch.manual_seed(SEED)
    torch.set_num_threads(threads)
    everyone = population(SEED, TEST[1], work)
    network = learn(everyone.part(TRAIN[0], patients), epochs=epochs, rate=rate)
    held_back = everyone.part(*VALIDATE)
    probability = read(network, held_back)
    threshold = best_threshold(held_back.metastatic, probability)
    torch.save({"weights": network.state_dict(), "threshold": threshold}, work / "weights.pt")
    area = area_under_curve(held_back.metastatic, probability)
    typer.echo(f"AUC {area:.3f} on validation patients; threshold {threshold:.2f}; weights in {work / 'weights.pt'}.")


def learn(patients: Population, *, epochs: int, rate: float) -> Network:
    """Fit a fresh network; the same patients, seed and thread count give the same weights."""
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    steps = epochs * (len(patients.metastatic) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.2)
    order = np.random.default_rng(SEED)
    for epoch in range(epochs):
        losses = []
        batches = list(_shuffled(len(patients.metastatic), order))
        for rows in track(batches, f"Epoch {epoch + 1} of {epochs}"):
            canvas = torch.from_numpy(patients.canvas[rows].astype(np.float32))
            answer = torch.from_numpy(patients.metastatic[rows].astype(np.float32))[:, None]
            optimizer.zero_grad()
            loss = _loss(network, _varied(canvas, order), answer)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        typer.echo(f"Epoch {epoch + 1}: loss {np.mean(losses):.3f}")
    network.eval()
    return network


def read(network: Network, patients: Population) -> NDArray[np.float32]:
    """Return the probability for each patient, [n]."""
    answers = []
    with torch.inference_mode():
        for start in range(0, len(patients.metastatic), BATCH):
            canvas = torch.from_numpy(patients.canvas[start : start + BATCH].astype(np.float32))
            answers.append(network(canvas, torch.ones(len(canvas), 2)).probability[:, 0].numpy())
    return np.concatenate(answers)


def _loss(network: Network, canvas: Tensor, answer: Tensor) -> Tensor:
    """Binary cross-entropy; convolutions in bfloat16, the sum of evidence in float32."""
    with torch.autocast("cpu", torch.bfloat16):
        logit = network(canvas, torch.ones(len(canvas), 2)).logit
    return nn.functional.binary_cross_entropy_with_logits(logit.float(), answer)


def _shuffled(count: int, order: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Yield full batches of patients, sorted within a batch because the canvases are read from disk."""
    shuffled = order.permutation(count)[: count // BATCH * BATCH]
    yield from np.sort(shuffled.reshape(-1, BATCH), axis=1)


def _varied(canvas: Tensor, order: np.random.Generator) -> Tensor:
    """Mirror half of the batches, and lay the patient a little off the middle of the table."""
    down, across = (int(order.integers(-reach, reach + 1)) for reach in (12, 6))
    moved = torch.roll(canvas, (down, across), dims=(2, 3))
    return moved.flip(3) if order.random() < 0.5 else moved


if __name__ == "__main__":
    typer.run(train)
