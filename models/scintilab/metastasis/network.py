"""A small residual network whose answer is nothing but the sum of its map.

Both views pass through the same layers. Each of 64 x 16 cells a view (38 mm square on a 2.4 mm scan) ends
in one number, its evidence: log odds that this cell adds, never negative. The logit is a constant plus the
sum of all evidence, so the class-activation map is exact by construction, without gradients: it is the
answer, cell by cell.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

CELLS = (64, 16)
"""Rows and columns of evidence in one view."""


class Answer(NamedTuple):
    """What the graph returns for N studies."""

    probability: Tensor
    """[N, 1]."""
    logit: Tensor
    """[N, 1], the constant plus the sum of `map`."""
    map: Tensor
    """[N, 1, 64, 32], evidence in log odds; left half anterior, right half posterior."""


class Network(nn.Module):
    """Canvas and presence in, finding out; everything after the canvas happens inside."""

    def __init__(self) -> None:
        super().__init__()
        # A canvas pixel of a whole-body scan is twice as tall as wide; the stem makes cells square.
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, (5, 9), stride=(2, 4), padding=(2, 4), bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.local = nn.Sequential(_narrower(16, 32), Residual(32), _narrower(32, 64))
        self.whereabouts = nn.Parameter(torch.zeros(2, 64, *CELLS))
        self.regional = nn.Sequential(Residual(64), Residual(64))
        self.suspicion = nn.Conv2d(64, 1, 1)
        self.constant = nn.Parameter(torch.tensor(-3.0))
        nn.init.constant_(self.suspicion.bias, -5.0)

    def forward(self, canvas: Tensor, present: Tensor) -> Answer:
        """Read N studies: canvas [N, 2, 512, 256] of mean counts, present [N, 2] of 0 and 1."""
        return self.answer(self.suspect(canvas), present)

    def suspect(self, canvas: Tensor) -> Tensor:
        """Return for each cell how much it looks like a metastasis, [N, 2, 64, 16], any sign."""
        views = even_brightness(canvas).reshape(-1, 1, *canvas.shape[2:])
        features = self.local(self.stem(views))
        features = features.reshape(-1, 2, *features.shape[1:]) + self.whereabouts
        cells = self.suspicion(self.regional(features.reshape(-1, *features.shape[2:])))
        return cells.float().reshape(-1, 2, *CELLS)

    def answer(self, suspicion: Tensor, present: Tensor) -> Answer:
        """Turn suspicion into evidence, lay the views side by side, and add up."""
        # The clamp changes nothing in theory; engines approximate softplus and may end a hair below nought.
        evidence = nn.functional.softplus(suspicion).clamp(min=0) / 4 * present[:, :, None, None]
        beside = evidence.transpose(1, 2).reshape(-1, 1, CELLS[0], 2 * CELLS[1])
        logit = self.constant + beside.sum(dim=(2, 3))
        return Answer(torch.sigmoid(logit), logit, beside)


def even_brightness(canvas: Tensor) -> Tensor:
    """Scale each view by itself, in square roots, where Poisson noise is even and hot spots weigh little."""
    root = canvas.clamp(min=0).sqrt()
    return root / (root.mean(dim=(2, 3), keepdim=True) + 1e-6)


class Residual(nn.Module):
    """Two 3 x 3 convolutions round a short cut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape, [n, channels, rows, cols]."""
        return torch.relu(features + self.second(self.first(features)))


def _narrower(channels: int, more: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, more, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(more), nn.ReLU())
