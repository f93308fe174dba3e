"""How the cardiac classifier learns: first half of each batch is of grade 2 or 3, then a quarter, so that it sees more
of what imitates them. It is asked for that; besides, as far as they are known, the grade,
how the heart counts against the other side of the chest, and for each cell whether the heart is there, and whether
it is one of grade 2 or 3, which tells it where to look.

Scans are moved, shortened, blurred and hazed at random, so that other cameras and lossy pictures are no surprise; other
brightness is none, because a view is scaled by itself. They are never mirrored: the heart is on the left. The
posterior view is withheld now and then.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, binary_cross_entropy_with_logits, smooth_l1_loss

from scintilab.cardiac.network import CHANNELS, Network
from scintilab.head import fold
from scintilab.training.checkpoint import Checkpoint
from scintilab.training.lesson import Lesson, Rows, balanced, learn, one_cycle
from scintilab.training.material import UNKNOWN, Material
from scintilab.training.variety import varied

BATCH = 16
PEAK = 2e-3
WITHHELD = 0.3
"""Share of the scans whose posterior view is not shown."""
LOSSY = 0.3
DOWN = 48
"""Canvas rows, 23 cm: where a scan begins is up to who makes it."""
GRADES = 0.5
"""Weight of the other grades against the question."""
RATIO = 5.0
"""Weight of the heart's ratio, whose logarithm is small."""
CELLS = 4.0
"""Weight of the questions for each cell."""
RARE = 5.0
"""How many times more a cell of the heart counts than another."""


class Lengths(NamedTuple):
    """Epochs with half of the scans positive and with a quarter, and steps of each."""

    epochs: int
    more_epochs: int
    steps: int


class Pupil(nn.Module):
    """The network, and what asks for grades, ratio and places; that part is thrown away in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.network: Network = Network()
        self.grades = nn.Linear(self.network.head.first.out_features, 2)
        self.ratio = nn.Linear(self.network.head.first.out_features, 1)
        self.cells = nn.Conv2d(CHANNELS, 2, 1)
        nn.init.constant_(self.cells.bias, -3)  # most cells are no heart


def train(material: Material, folder: Path, terms: Mapping[str, Any], *, seed: int, lengths: Lengths) -> Network:
    """Take the lesson from where it was left, and return the network, folded, in evaluation mode.

    Args:
        material: who is learnt from.
        folder: of the checkpoint.
        terms: who that is; with seed and lengths it decides the outcome.
        seed: of the first weights and of every draw.
        lengths: of the lesson.
    """
    terms = {**terms, "seed": seed, **lengths._asdict()}
    torch.manual_seed(seed)
    pupil: Pupil = Pupil().to(memory_format=torch.channels_last).train()
    for name, epochs, healthy, peak in (
        ("cardiac", lengths.epochs, 1, PEAK),
        ("cardiac, more of the healthy", lengths.more_epochs, 3, PEAK / 2),
    ):
        lesson = _lesson(pupil, material, name, epochs, lengths.steps, healthy, peak)
        optimizer = torch.optim.AdamW(pupil.parameters(), weight_decay=0.02)
        learn(pupil, optimizer, lesson, Checkpoint(folder / f"{healthy}-to-1.pt", terms), seed=seed)
    fold(pupil.eval())
    return pupil.network


def _lesson(pupil: Pupil, material: Material, name: str, epochs: int, steps: int, healthy: int, peak: float) -> Lesson:
    sick = BATCH * steps // (1 + healthy)
    return Lesson(
        name=name,
        epochs=epochs,
        steps=steps,
        batches=lambda chance: balanced(material.truth, sick, steps, chance, healthy=healthy),
        loss=_loss(pupil, material),
        rate=one_cycle(peak),
    )


def _loss(pupil: Pupil, material: Material) -> Callable[[Rows, np.random.Generator], Tensor]:
    """Ask for grade 2 and more, and for the other grades where they are known; convolutions run in bfloat16."""
    network = pupil.network

    def loss(rows: Rows, chance: np.random.Generator) -> Tensor:
        scans = varied(material.read(rows, places=True), chance, down=DOWN, lossy=LOSSY)
        canvas, present = torch.from_numpy(scans.canvas), torch.from_numpy(scans.present)
        with torch.autocast("cpu", torch.bfloat16):
            features = network.features(canvas, present)
        hidden = network.hidden(features.float(), _withheld(present, chance))
        positive = torch.from_numpy(material.truth[rows]).float()
        asked = binary_cross_entropy_with_logits(network.head.logit(hidden)[:, 0], positive)
        grades = _grades_loss(pupil.grades(hidden), torch.from_numpy(material.grade[rows]))
        ratio = _ratio_loss(pupil.ratio(hidden)[:, 0], torch.from_numpy(material.heart_ratio[rows]).float())
        answer = asked + GRADES * grades + RATIO * ratio
        if scans.places is None:
            return answer
        cells = pupil.cells(features.float().flatten(0, 1)).unflatten(0, features.shape[:2])
        return answer + CELLS * _cells_loss(cells, torch.from_numpy(scans.places), positive)

    return loss


def _cells_loss(told: Tensor, heart: Tensor, positive: Tensor) -> Tensor:
    """Compare what was told of cells, [n, view, 2, h, w], with where the heart is, [n, view, 512, 256], and of whom."""
    where = adaptive_max_pool2d(heart.float(), told.shape[3:])
    wanted = torch.stack([where, where * positive[:, None, None, None]], dim=2)
    return binary_cross_entropy_with_logits(told, wanted, pos_weight=torch.tensor(RARE))


def _withheld(present: Tensor, chance: np.random.Generator) -> Tensor:
    """Take the posterior view away from some scans that have the anterior one."""
    withheld = torch.from_numpy(chance.random(len(present)) < WITHHELD) & (present[:, 0] > 0)
    return torch.stack([present[:, 0], present[:, 1] * ~withheld], dim=1)


def _grades_loss(told: Tensor, grade: Tensor) -> Tensor:
    """Compare what was told, [n, 2], of grade 1 and more and of grade 3, with the grades that are known."""
    known = (grade != UNKNOWN).float()[:, None]
    reached = torch.stack([grade >= 1, grade >= 3], dim=1).float()
    return (binary_cross_entropy_with_logits(told, reached, reduction="none") * known).mean()


def _ratio_loss(told: Tensor, ratio: Tensor) -> Tensor:
    """Compare what was told, [n], with the logarithm of the ratios that are known."""
    known = torch.isfinite(ratio)
    return (smooth_l1_loss(told, torch.where(known, ratio, 1.0).log(), beta=0.1, reduction="none") * known).mean()
