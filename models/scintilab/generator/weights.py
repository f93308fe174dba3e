"""What a training ends with, on disk."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from scintiflow.errors import Refused
from scintilab.generator.flow import Flow
from scintilab.generator.tokeniser import Tokeniser
from scintilab.training.checkpoint import write


class Weights(NamedTuple):
    """A tokeniser, a flow on what it folds, and the scale between them."""

    tokeniser: Tokeniser
    flow: Flow
    mean: Tensor
    """[CHANNELS, ROWS, COLS]: of folded scans."""
    deviation: Tensor
    """[CHANNELS, 1, 1]."""

    def save(self, folder: Path) -> Path:
        """Write them into a folder; return the file."""
        file = folder / "weights.pt"
        networks = {"tokeniser": self.tokeniser.state_dict(), "flow": self.flow.state_dict()}
        write({**networks, "mean": self.mean, "deviation": self.deviation}, file)
        return file


def load(folder: Path, slots: int) -> Weights:
    """Read weights of a flow that takes conditions of so many slots.

    Raises:
        Refused: nothing was trained there.
    """
    file = folder / "weights.pt"
    if not file.exists():
        raise Refused(f"{file} is not there: train first.")
    saved = torch.load(file, weights_only=True)
    tokeniser, flow = Tokeniser(), Flow(slots)
    tokeniser.load_state_dict(saved["tokeniser"])
    flow.load_state_dict(saved["flow"])
    return Weights(tokeniser.eval(), flow.eval(), saved["mean"], saved["deviation"])


def load_tokeniser(folder: Path) -> Tokeniser:
    """Read the tokeniser, as far as it has learnt.

    Raises:
        Refused: its training has not begun there.
    """
    file = folder / "tokeniser.pt"
    if not file.exists():
        raise Refused(f"{file} is not there: train first.")
    tokeniser: Tokeniser = Tokeniser().eval()
    tokeniser.load_state_dict(torch.load(file, weights_only=True)["pupil"])
    return tokeniser
