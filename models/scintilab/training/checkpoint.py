"""How far a training has come, on disk: written atomically, and only taken up by the same training."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scintiflow.errors import Refused


@dataclass(frozen=True)
class Checkpoint:
    """One file, of one training.

    Args:
        path: of the file.
        terms: what decides the outcome: seed, lengths, who is learnt from.
    """

    path: Path
    terms: Mapping[str, Any]

    def save(self, step: int, pupil: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write everything that the next step depends on; the random numbers of a step follow from its number."""
        saved = {"step": step, "pupil": pupil.state_dict(), "optimizer": optimizer.state_dict()}
        write({"terms": dict(self.terms), **saved}, self.path)

    def resume(self, pupil: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Take up what was saved, and return how many steps are done: 0 when nothing was saved.

        Raises:
            Refused: the file is of a training with other terms.
        """
        if not self.path.exists():
            return 0
        saved = torch.load(self.path, weights_only=True)
        if saved["terms"] != dict(self.terms):
            other = ", ".join(f"{name} {saved['terms'].get(name)}" for name in saved["terms"])
            raise Refused(
                f"{self.path} is of another training ({other}): train as then, or name another --work folder."
            )
        pupil.load_state_dict(saved["pupil"])
        optimizer.load_state_dict(saved["optimizer"])
        return int(saved["step"])


def write(content: Mapping[str, Any], path: Path) -> None:
    """Save to a file that is either as it was or complete, whenever this is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
