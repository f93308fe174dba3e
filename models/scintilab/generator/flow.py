"""A rectified flow on latent images: from noise to a scan along lines that are as straight as can be learnt.

At time t the image is (1 - t) noise + t scan, and the network says where it is going: scan - noise (Liu et al. 2022,
arXiv 2209.03003). It is a transformer of 128 tokens, each 2 x 2 latent cells; time and conditions scale and shift every
layer through one shared map and a table a layer (adaLN-single: Chen et al. 2023, arXiv 2310.00426).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, silu

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.generator.tokeniser import CELL, CHANNELS

ROWS, COLS = HEIGHT // CELL, WIDTH // CELL
"""Of a latent image."""
TOKEN = 2
"""Latent cells of a token, both ways."""
TOKENS = (ROWS // TOKEN) * (COLS // TOKEN)
WIDE, LAYERS, HEADS, INNER = 256, 8, 4, 3
_FREQUENCIES = 64


class Flow(nn.Module):
    """Says where a noisy latent image is going, under conditions of so many slots."""

    def __init__(self, slots: int, channels: int = CHANNELS) -> None:
        super().__init__()
        self.channels = channels
        self.enter = nn.Linear(channels * TOKEN * TOKEN, WIDE)
        self.place = nn.Parameter(0.02 * torch.randn(TOKENS, WIDE))
        self.time = nn.Linear(2 * _FREQUENCIES, WIDE)
        self.told = nn.Linear(2 * slots, WIDE)
        self.shared = nn.Linear(WIDE, 6 * WIDE)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.leave = nn.Linear(WIDE, channels * TOKEN * TOKEN)
        for layer in (self.shared, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, latent: Tensor, time: Tensor, condition: Tensor, known: Tensor) -> Tensor:
        """Return the velocity of latent images.

        Args:
            latent: [n, channels, ROWS, COLS], each channel of mean 0 and deviation 1.
            time: [n], 0 is noise and 1 a scan.
            condition: [n, slots].
            known: [n, slots] of 0 and 1.
        """
        led = self.time(_waves(time)) + self.told(torch.cat([condition, known], dim=1))
        changes = self.shared(silu(led)).unflatten(1, (6, WIDE))
        tokens = self.enter(to_tokens(latent)) + self.place
        for layer in self.layers:
            tokens = layer(tokens, changes)
        return to_latent(self.leave(layer_norm(tokens, (WIDE,))), self.channels)


class _Layer(nn.Module):
    """Attention and two linear layers, each scaled, shifted and gated."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(6, WIDE) / math.sqrt(WIDE))
        self.ask = nn.Linear(WIDE, 3 * WIDE, bias=False)
        self.answer = nn.Linear(WIDE, WIDE)
        self.wider = nn.Linear(WIDE, INNER * WIDE)
        self.narrower = nn.Linear(INNER * WIDE, WIDE)

    def forward(self, tokens: Tensor, changes: Tensor) -> Tensor:
        """Return tokens of the same shape, [n, TOKENS, WIDE]."""
        shift, scale, gate, shift_in, scale_in, gate_in = (changes + self.own)[:, :, None].unbind(dim=1)
        tokens = tokens + gate * self._attended(_led(tokens, shift, scale))
        return tokens + gate_in * self.narrower(silu(self.wider(_led(tokens, shift_in, scale_in))))

    def _attended(self, tokens: Tensor) -> Tensor:
        queries, keys, values = (
            self.ask(tokens).unflatten(2, (3, HEADS, WIDE // HEADS)).permute(2, 0, 3, 1, 4).unbind(0)
        )
        # Written out: with so few tokens, the gradient of torch's fused attention takes five times as long on a CPU.
        alike = _even(queries) @ _even(keys).transpose(2, 3) / math.sqrt(WIDE // HEADS)
        found = alike.softmax(dim=3).to(values.dtype) @ values
        attended: Tensor = self.answer(found.transpose(1, 2).flatten(2))
        return attended


def to_tokens(latent: Tensor) -> Tensor:
    """Return [n, TOKENS, channels * 4] of a latent image [n, channels, ROWS, COLS]."""
    cells = latent.unflatten(3, (COLS // TOKEN, TOKEN)).unflatten(2, (ROWS // TOKEN, TOKEN))
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def to_latent(tokens: Tensor, channels: int) -> Tensor:
    """Undo `to_tokens`."""
    cells = tokens.unflatten(2, (channels, TOKEN, TOKEN)).unflatten(1, (ROWS // TOKEN, COLS // TOKEN))
    return cells.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


class Guidance(NamedTuple):
    """Draws out what a disease changes, as Ho and Salimans (2022, arXiv 2207.12598) do with everything that is told.

    A scan is compared with that of the same patient without disease, so a healthy patient is drawn as was learnt. What
    changes little (a small lesion) is drawn out in full, and what changes much (a superscan) hardly.
    """

    times: float
    """How many times a small difference is made."""
    most: float
    """Root mean square over a latent image's velocity of what is added to a difference at most, over `times` - 1."""
    kept: Tensor
    """[slots]: 1 where a slot says nothing about disease."""
    healthy: Tensor
    """[slots]: what the others are in the healthy."""

    def twin(self, condition: Tensor, known: Tensor) -> Tensor:
        """Return the same conditions, [n, slots], without disease; what is not known stays so."""
        return condition * self.kept + known * self.healthy

    def drawn_out(self, velocity: Tensor, twins: Tensor) -> Tensor:
        """Return velocities, [n, channels, ROWS, COLS], further away from those of the twins."""
        change = velocity - twins
        size = change.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return velocity + (self.times - 1) * self.most / size.clamp(min=self.most) * change


def integrate(
    flow: Flow, noise: Tensor, condition: Tensor, known: Tensor, *, steps: int, guidance: Guidance | None = None
) -> Tensor:
    """Follow the flow from noise to latent images in equal steps of Euler.

    Args:
        flow: trained.
        noise: standard normal, [n, channels, ROWS, COLS].
        condition: [n, slots].
        known: [n, slots].
        steps: how many.
        guidance: draws out what a disease changes.
    """
    latent = noise
    for step in range(steps):
        time = torch.full_like(noise[:, 0, 0, 0], step / steps)
        velocity = flow(latent, time, condition, known)
        if guidance:
            velocity = guidance.drawn_out(velocity, flow(latent, time, guidance.twin(condition, known), known))
        latent = latent + velocity / steps
    return latent


def _led(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return layer_norm(tokens, (WIDE,)) * (1 + scale) + shift


def _even(vectors: Tensor) -> Tensor:
    """Bring queries and keys to one length, which keeps attention calm (Henry et al. 2020, arXiv 2010.04245)."""
    return vectors * torch.rsqrt(vectors.square().mean(dim=-1, keepdim=True) + 1e-6)


def _waves(time: Tensor) -> Tensor:
    """Return sines and cosines of time, [n, 128]."""
    frequency = torch.exp(torch.linspace(0, math.log(1000), _FREQUENCIES, device=time.device))
    angle = time[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
