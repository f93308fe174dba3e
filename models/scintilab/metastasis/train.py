"""How the metastasis classifier learns: twice, for the weights of ImageNet that the paper begins with are not here.

First, in their place, from pieces of scans: batch normalisation, and beside the answer two questions for each cell,
whether it holds a metastasis and whether it holds another focus; the phantom knows. (On an archive nobody does: whole
scans at half resolution stand in for pieces, and the patient's answer alone is learnt.) Then as in the paper (Ibrahim
et al. 2023): plain VGG16 on whole scans, Adam 1e-4, epochs of 329 sick and as many healthy scans in 200 steps, views
swapped at random. What is not in the paper: the rate falls after two of the six epochs; the questions for each cell
stay, with less weight; scans are moved, shortened and spoilt at random; and the first four blocks stay as pieces taught
them, of which the few scans of this lesson would make them forget more than they teach; that saves half the time too.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, avg_pool2d, binary_cross_entropy_with_logits

from scintilab.head import fold
from scintilab.metastasis.network import Network, beside, scaled
from scintilab.metastasis.piece import cut
from scintilab.phantom.streams import stream
from scintilab.training.checkpoint import Checkpoint
from scintilab.training.lesson import Lesson, Rows, balanced, learn, one_cycle
from scintilab.training.material import Material
from scintilab.training.variety import varied, views_swapped

LOSSY = 0.25
"""Share of the whole scans that are spoilt as by another camera."""
BATCH = 16
"""Pieces a step."""
PEAK = 1e-3
"""Highest learning rate of the first lesson, in its first cycle."""

PAIRS = 329 / 200
"""Sick scans a step of the second lesson, and healthy ones."""
RATE = 1e-4
STEADY = 1 / 3
MEASURED = 64
"""Whole scans over which batch normalisation is measured before it is folded."""

CELLS_FIRST, CELLS_THEN = 5.0, 2.0
"""Weight of the questions for each cell against the patient's."""
RARE = 5.0
"""How many times more a cell with a focus counts than one without."""


class Lengths(NamedTuple):
    """Epochs, and steps of each, of pieces and of whole scans; of pieces as many times over as there are cycles."""

    cycles: int
    piece_epochs: int
    piece_steps: int
    epochs: int
    steps: int


class Pupil(nn.Module):
    """The network, and what asks the cells of its fourth and fifth block; that part is thrown away in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.network: Network = Network()
        self.cells = nn.ModuleList(nn.Conv2d(512, 2, 1) for _ in range(2))
        for cells in self.cells:
            nn.init.constant_(cells.bias, -3)  # most cells hold nothing


def train(material: Material, folder: Path, terms: Mapping[str, Any], *, seed: int, lengths: Lengths) -> Network:
    """Take both lessons from where they were left, and return the network, folded, in evaluation mode.

    Args:
        material: who is learnt from.
        folder: of the checkpoints.
        terms: who that is; with seed and lengths it decides the outcome.
        seed: of the first weights and of every draw.
        lengths: of the lessons.
    """
    terms = {**terms, "seed": seed, **lengths._asdict()}
    torch.manual_seed(seed)
    pupil: Pupil = Pupil().to(memory_format=torch.channels_last).train()
    for cycle in range(lengths.cycles):
        optimizer = torch.optim.AdamW(pupil.parameters(), weight_decay=0.02)
        checkpoint = Checkpoint(folder / f"pieces-{cycle + 1}.pt", terms)
        learn(pupil, optimizer, _pieces(pupil, material, lengths, cycle), checkpoint, seed=seed)
    _measure(pupil.network, material, min(MEASURED, 2 * lengths.steps), seed)
    fold(pupil.eval())
    pupil.network.early.requires_grad_(False)
    optimizer = torch.optim.Adam(weights for weights in pupil.parameters() if weights.requires_grad)
    learn(pupil, optimizer, _whole(pupil, material, lengths), Checkpoint(folder / "whole.pt", terms), seed=seed)
    return pupil.network


def _pieces(pupil: Pupil, material: Material, lengths: Lengths, cycle: int) -> Lesson:
    """Return one of the cycles: the rate rises and falls again, to half of the last peak (SGDR, arXiv 1608.03983)."""
    steps = lengths.piece_steps
    return Lesson(
        name=f"pieces, cycle {cycle + 1}",
        epochs=lengths.piece_epochs,
        steps=steps,
        batches=lambda chance: balanced(material.truth, BATCH * steps // 2, steps, chance),
        loss=_loss(pupil, material, CELLS_FIRST, closer=True),
        rate=one_cycle(PEAK / 2**cycle),
    )


def _whole(pupil: Pupil, material: Material, lengths: Lengths) -> Lesson:
    return Lesson(
        name="whole scans",
        epochs=lengths.epochs,
        steps=lengths.steps,
        batches=lambda chance: balanced(material.truth, round(PAIRS * lengths.steps), lengths.steps, chance),
        loss=_loss(pupil, material, CELLS_THEN, closer=False),
        rate=_falling,
    )


def _falling(share: float) -> float:
    """Return the paper's rate for a third of the lesson; then it falls in a cosine to nothing.

    Three or four scans a step leave the last weights of a constant rate to chance.
    """
    return RATE if share < STEADY else RATE * (1 + math.cos(math.pi * (share - STEADY) / (1 - STEADY))) / 2


def _loss(
    pupil: Pupil, material: Material, cells_weight: float, *, closer: bool
) -> Callable[[Rows, np.random.Generator], Tensor]:
    """Ask whether a scan, or closer a piece of it, is of a sick patient, and which cells hold what.

    Convolutions run in bfloat16.
    """
    network = pupil.network

    def loss(rows: Rows, chance: np.random.Generator) -> Tensor:
        lossy = 0.0 if closer else LOSSY
        scans = views_swapped(varied(material.read(rows, places=True), chance, lossy=lossy), chance)
        views, places, truth = scaled(*map(torch.from_numpy, scans[:2])), scans.places, material.truth[rows]
        if closer and places is None:
            views = avg_pool2d(views, 2)
        elif closer and places is not None:
            views, places = pieces = cut(views, places, chance)
            truth = pieces.metastatic
        with torch.autocast("cpu", torch.bfloat16):
            early = network.early(beside(views))
            late = network.late(early)
        logit = network.head.logit(network.hidden(late.float()))[:, 0]
        answer = binary_cross_entropy_with_logits(logit, torch.from_numpy(truth).float())
        if places is None:
            return answer
        told = [ask(features.float()) for ask, features in zip(pupil.cells, (early, late), strict=True)]
        return answer + cells_weight * sum(_cells_loss(cells, places) for cells in told)

    return loss


def _cells_loss(told: Tensor, foci: NDArray[np.bool_]) -> Tensor:
    """Compare what was told of cells, [n, 2, h, w], metastases and other foci, with where they are."""
    both = np.concatenate([foci[:, 0::2], foci[:, 1::2]], axis=3)
    where = adaptive_max_pool2d(torch.from_numpy(both).float(), told.shape[2:])
    return binary_cross_entropy_with_logits(told, where, pos_weight=torch.tensor(RARE))


def _measure(network: Network, material: Material, scans: int, seed: int) -> None:
    """Let batch normalisation forget pieces, and measure what it needs to know of whole scans."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    for rows in balanced(material.truth, scans // 2, max(scans // 4, 1), stream(seed, 0, "measure")):
        read = material.read(rows)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features = network.features(torch.from_numpy(read.canvas), torch.from_numpy(read.present))
        with torch.no_grad():
            network.hidden(features.float())
