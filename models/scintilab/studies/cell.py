"""One training of the augmentation study: who is learnt from, and what the network says of everybody who judges."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintiflow.inference.session import Floats
from scintilab.archive import Question
from scintilab.evaluate.bootstrap import Values
from scintilab.evaluate.scans import Truth
from scintilab.phantom.streams import stream
from scintilab.studies.compact import Chosen, classifier, scores

Arm = Literal["real", "classic", "synthetic", "shuffled", "matched"]
ARMS: dict[Arm, str] = {
    "real": "real only",
    "classic": "real, moved and shortened at random",
    "synthetic": "real and synthetic",
    "shuffled": "real and synthetic with shuffled labels",
    "matched": "real and as many more real",
}
FEWEST = 3
"""Sick scans, and healthy ones, in the smallest set."""


class Cell(NamedTuple):
    """One training.

    Args:
        question: that is asked.
        size: real scans that there are.
        arm: what is added to them.
        seed: which scans these are, first weights, and every draw; arms of one seed share their real scans.
    """

    question: Question
    size: int
    arm: Arm
    seed: int

    def __str__(self) -> str:
        return f"{self.question}-{self.size}-{self.arm}-{self.seed}"


class Side(NamedTuple):
    """Coarse scans, and who of them is sick."""

    canvas: Floats
    """[n, 2, 256, 64], in memory or mapped from disk."""
    truth: Truth

    def part(self, rows: NDArray[np.intp]) -> "Side":
        """Return some rows, in memory."""
        return Side(np.asarray(self.canvas[rows], np.float32), self.truth[rows])


class Table(NamedTuple):
    """Everybody who takes part in the trainings of one question.

    Args:
        learners: real scans, of which each training knows a few.
        synthetic: scans of a generator that has learnt from none of the others here.
        validate: real scans, with whom the best moment of each training is chosen.
        judges: real scans, of all sites.
    """

    learners: Side
    synthetic: Side
    validate: Side
    judges: Side


def learnt_from(cell: Cell, table: Table, multiple: int) -> Side:
    """Return the scans of one training.

    Args:
        cell: which training.
        table: who takes part.
        multiple: how many synthetic scans, or more real ones, come to each real one.

    Raises:
        Refused: there are fewer than are asked for.
    """
    real = drawn(table.learners.truth, cell.size * (1 + multiple), cell.size, stream(cell.seed, cell.question, "real"))
    known = table.learners.part(real[: cell.size])
    if cell.arm in ("real", "classic"):
        return known
    if cell.arm == "matched":
        return table.learners.part(real)
    chance = stream(cell.seed, cell.question, "synthetic")
    wanted = cell.size * multiple
    if len(table.synthetic.truth) < wanted:
        raise Refused(f"{wanted} synthetic scans are needed, and there are {len(table.synthetic.truth)}: make more.")
    made = table.synthetic.part(chance.permutation(len(table.synthetic.truth))[:wanted])
    labels = chance.permutation(made.truth) if cell.arm == "shuffled" else made.truth
    return Side(np.concatenate([known.canvas, made.canvas]), np.concatenate([known.truth, labels]))


def drawn(truth: Truth, count: int, first: int, chance: np.random.Generator) -> NDArray[np.intp]:
    """Draw rows without putting them back, the first ones with their share of sick and FEWEST of each at least.

    Raises:
        Refused: there are fewer.
    """
    sick, healthy = (chance.permutation(np.flatnonzero(truth == side)) for side in (True, False))
    few = int(np.clip(round(first * truth.mean()), FEWEST, first - FEWEST))
    if count > len(truth) or len(sick) < few or len(healthy) < first - few:
        raise Refused(f"{count} scans of learners are needed, {few} of them sick, and there are {len(truth)}.")
    rest = chance.permutation(np.concatenate([sick[few:], healthy[first - few :]]))
    return np.concatenate([sick[:few], healthy[: first - few], rest])[:count]


def trained(cell: Cell, table: Table, *, multiple: int, steps: int) -> Values:
    """Train, and return the logit of each judge, [n]."""
    side, validate = learnt_from(cell, table, multiple), table.validate
    chosen = Chosen(np.asarray(validate.canvas, np.float32), validate.truth)
    network = classifier(*side, chosen, seed=cell.seed, steps=steps, classic=cell.arm == "classic")
    return np.asarray(scores(network, np.asarray(table.judges.canvas, np.float32)))


def kept(folder: Path, cell: Cell) -> Path:
    """Return the file of a finished cell."""
    return folder / f"{cell}.npy"
