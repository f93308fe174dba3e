"""Trains the classifier on simulated patients: `python -m scintilab.metastasis.train`.

About ten minutes on two cores, and as long again, once, to scan the patients. The weights land in the work
folder beside the canvases they learnt from;
`scintilab.metastasis.export` turns them into the served graph.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.evaluate import area_under_curve, best_threshold
from scintilab.metastasis.network import CELLS, Network
from scintilab.metastasis.population import SEED, TEST, TRAIN, VALIDATE, Population, population

BATCH = 8
CELL_WEIGHT = 0.05
"""Of one cell's loss against the patient's: where to look is learnt first, what it means for the patient after."""
RARE = 5.0
"""How many times more a cell with a metastasis counts than one without; there is one in three hundred."""


def train(
    work: Annotated[Path, typer.Option(help="Folder for canvases and weights.")] = Path("build/metastasis"),
    epochs: Annotated[int, typer.Option(help="How often each patient is seen.")] = 8,
    patients: Annotated[int, typer.Option(max=TRAIN[1], help="How many patients to learn from.")] = TRAIN[1],
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-3,
    threads: Annotated[int, typer.Option(help="Processor cores to use.")] = 2,
) -> None:
    """Simulate the patients (once), learn, and save weights and threshold."""
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
    """Fit a fresh network: AdamW, one cycle of the learning rate, seeded."""
    torch.manual_seed(SEED)
    network = Network()
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    steps = epochs * (len(patients.metastatic) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.2)
    chance = np.random.default_rng(SEED)
    for epoch in range(epochs):
        losses = []
        for rows in track(_shuffled(len(patients.metastatic), chance), f"Epoch {epoch + 1} of {epochs}"):
            canvas, where = _varied(patients, rows, chance)
            sick = torch.from_numpy(patients.metastatic[rows].astype(np.float32))[:, None]
            optimizer.zero_grad()
            loss = _loss(network, canvas, sick, where)
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


def _loss(network: Network, canvas: Tensor, sick: Tensor, where: Tensor) -> Tensor:
    """Ask two things: is the patient sick, and which cells hold a metastasis (the phantom knows)?

    Convolutions run in bfloat16, the sum of evidence in float32.
    """
    with torch.autocast("cpu", torch.bfloat16):
        suspicion = network.suspect(canvas)
    logit = network.answer(suspicion, torch.ones(len(canvas), 2)).logit
    entropy = nn.functional.binary_cross_entropy_with_logits
    cells = entropy(suspicion, where, pos_weight=torch.tensor(RARE), reduction="sum") / len(canvas)
    return entropy(logit, sick) + CELL_WEIGHT * cells


def _shuffled(count: int, chance: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return full batches of patients, sorted within a batch because the canvases are read from disk."""
    shuffled = chance.permutation(count)[: count // BATCH * BATCH]
    return list(np.sort(shuffled.reshape(-1, BATCH), axis=1))


def _varied(patients: Population, rows: NDArray[np.intp], chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Lay a batch a little off the middle of the table, mirror half of the batches, and follow the metastases.

    Returns:
        canvas [n, 2, 512, 256], and 1 in every cell [n, 2, 64, 16] that holds the middle of a metastasis.
    """
    down, across = (int(chance.integers(-reach, reach + 1)) for reach in (12, 6))
    mirror = chance.random() < 0.5
    canvas = torch.roll(torch.from_numpy(patients.canvas[rows].astype(np.float32)), (down, across), dims=(2, 3))
    where = torch.zeros(len(rows), 2, *CELLS)
    for patient, row in enumerate(rows):
        from_top, from_left = patients.spots[row].T
        for view, column in enumerate((from_left, WIDTH - from_left)):
            cell_row = ((from_top + down) * CELLS[0] / HEIGHT).clip(0, CELLS[0] - 1)
            cell_col = ((column + across) * CELLS[1] / WIDTH).clip(0, CELLS[1] - 1)
            where[patient, view, cell_row.astype(int), cell_col.astype(int)] = 1
    return (canvas.flip(3), where.flip(3)) if mirror else (canvas, where)


if __name__ == "__main__":
    typer.run(train)
