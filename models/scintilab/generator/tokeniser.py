"""Folds both views into a small latent image and back: expected counts out, whatever noise went in.

A latent cell stands for 16 x 16 canvas pixels of both views; the posterior one is mirrored first, so that a cell sees
the same part of the body from both sides. There is no normalisation, so a part of a scan is folded as the whole is, and
the tokeniser can learn from parts.
"""

import torch
from torch import Tensor, nn

CHANNELS = 24
CELL = 16
"""Canvas pixels of a latent cell, both ways."""


class Tokeniser(nn.Module):
    """Canvas of mean 1 in, latent image out, and back to expected counts."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.fold = nn.Sequential(
            nn.Conv2d(2, 64, 4, stride=4),
            _Residual(64),
            nn.Conv2d(64, 128, 3, stride=2, padding=1),
            _Residual(128),
            nn.Conv2d(128, 160, 3, stride=2, padding=1),
            _Residual(160),
            nn.Conv2d(160, channels, 1),
        )
        self.unfold = nn.Sequential(
            nn.Conv2d(channels, 160, 3, padding=1),
            _Residual(160),
            *_larger(160, 128),
            _Residual(128),
            *_larger(128, 64),
            _Residual(64),
            _Residual(64),
            *_larger(64, 32),
            _Residual(32),
            *_larger(32, 12),
            nn.SiLU(),
            nn.Conv2d(12, 2, 3, padding=1),
        )
        nn.init.constant_(self.unfold[-1].bias, 0.5)  # somewhere above nothing, where there is a slope

    def encode(self, canvas: Tensor) -> Tensor:
        """Return the latent image [n, CHANNELS, h / 16, w / 16] of canvases [n, 2, h, w] of mean 1."""
        latent: Tensor = self.fold(torch.sqrt(aligned(canvas).clamp(min=0)))
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Return expected counts, [n, 2, h, w], >= 0, of mean about 1: the square of what the network says."""
        root: Tensor = self.unfold(latent)
        return aligned(torch.relu(root) ** 2)


def aligned(canvas: Tensor) -> Tensor:
    """Mirror the posterior view, [n, 2, h, w]: the patient's left is then on one side in both; its own inverse."""
    return torch.stack([canvas[:, 0], canvas[:, 1].flip(-1)], dim=1)


class _Residual(nn.Module):
    """Two convolutions that begin by changing nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        nn.init.zeros_(self.change[-1].weight)
        nn.init.zeros_(self.change[-1].bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        changed: Tensor = features + self.change(features)
        return changed


def _larger(channels: int, fewer: int) -> list[nn.Module]:
    """Twice as high and wide: a convolution, and its channels laid out as pixels (TensorRT has no other Resize)."""
    return [nn.Conv2d(channels, 4 * fewer, 3, padding=1), nn.PixelShuffle(2)]
