"""A small network for coarse scans, that learns in seconds: the studies train hundreds of them."""

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from scintiflow.inference.session import Floats
from scintilab.cardiac.network import even_brightness
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.scans import Scores, Truth
from scintilab.phantom.streams import stream
from scintilab.studies.coarse import CAMERA_PIXELS, SHAPE
from scintilab.training.lesson import STEEPEST, Rows, balanced, one_cycle

CHANNELS = (24, 48, 64, 96)
HIDDEN = 128
BATCH = 16
PEAK = 2e-3
CHOICES = 6
"""How often a training looks at the patients it is chosen with."""
AT_ONCE = 64
DOWN, ACROSS = 8, 4
"""Coarse pixels that a patient may lie off: 8 and 4 cm."""
SHORTEST = 0.3
"""Share of the counts that a shorter scan keeps at least."""

Loss = Callable[[Tensor, Rows], Tensor]
"""What the network said, [k, outputs], of these rows -> a number to make small."""


class Network(nn.Module):
    """Coarse canvas in, numbers out. Both views pass through the same layers, and are told where a pixel lies.

    Convolutions compute in bfloat16, the rest in float32.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        deeper = [_layer(channels, more) for channels, more in pairwise(CHANNELS)]
        first = _layer(3, CHANNELS[0], kernel=5, stride=2)
        self.local = nn.Sequential(*first, *(part for layer in deeper for part in (nn.MaxPool2d(2), *layer)))
        self.hidden = nn.Sequential(nn.Linear(4 * CHANNELS[-1], HIDDEN), nn.ReLU())
        self.said = nn.Linear(HIDDEN, outputs)

    def features(self, canvas: Tensor) -> Tensor:
        """Return the layer before the last, [n, 128], for coarse canvases [n, 2, 256, 64]."""
        views = even_brightness(canvas).reshape(-1, 1, *SHAPE)
        with torch.autocast("cpu", torch.bfloat16):
            cells = self.local(torch.cat([views, _places(len(views))], dim=1)).float()
        # Means see a whole body, maxima one small lesion.
        pooled = torch.cat([cells.mean(dim=(2, 3)), cells.amax(dim=(2, 3))], dim=1)
        hidden: Tensor = self.hidden(pooled.reshape(len(canvas), -1))
        return hidden

    def forward(self, canvas: Tensor) -> Tensor:
        """Return what it says, [n, outputs]."""
        said: Tensor = self.said(self.features(canvas))
        return said


@dataclass(frozen=True)
class Chosen:
    """Patients with whom it is chosen when a training was at its best."""

    canvas: Floats
    """[n, 2, 256, 64]."""
    truth: Truth


def classifier(
    canvas: Floats, truth: Truth, chosen: Chosen, *, seed: int, steps: int, classic: bool = False
) -> Network:
    """Train a network of one output, a logit; half of each batch is sick.

    Args:
        canvas: coarse scans that are learnt from, [n, 2, 256, 64].
        truth: who of them is sick; some must be, and some not.
        chosen: other patients, by whose AUC the best of CHOICES moments is taken.
        seed: of the first weights and every draw.
        steps: of BATCH scans, however many scans there are.
        classic: move and shorten scans at random, as `scintilab.training.variety` does at full size.
    """
    wanted = torch.from_numpy(truth).float()

    def loss(told: Tensor, rows: Rows) -> Tensor:
        return binary_cross_entropy_with_logits(told[:, 0], wanted[rows])

    def worth(network: Network) -> float:
        return float(area_under_curve(chosen.truth, scores(network, chosen.canvas)))

    batches = balanced(truth, BATCH * steps // 2, steps, stream(seed, 0, "batches"))
    return fit(canvas, batches, loss, outputs=1, seed=seed, classic=classic, worth=worth)


def fit(
    canvas: Floats,
    batches: Sequence[Rows],
    loss: Loss,
    *,
    outputs: int,
    seed: int,
    classic: bool,
    worth: Callable[[Network], float] | None = None,
) -> Network:
    """Train a network and return it in evaluation mode, as it was when it was worth most.

    Args:
        canvas: coarse scans, [n, 2, 256, 64].
        batches: rows of each step.
        loss: to be made small.
        outputs: of the network.
        seed: of the first weights and every draw.
        classic: move and shorten scans at random.
        worth: of a network in evaluation mode, asked CHOICES times; None: take it as it ends.
    """
    torch.manual_seed(seed)
    network: Network = Network(outputs).to(memory_format=torch.channels_last)
    optimizer, rate = torch.optim.AdamW(network.parameters(), weight_decay=0.02), one_cycle(PEAK)
    best, kept, looks = -np.inf, network.state_dict(), {len(batches) * (look + 1) // CHOICES for look in range(CHOICES)}
    for step, rows in enumerate(batches):
        network.train()
        scans = varied(canvas[rows], stream(seed, step, "variety")) if classic else canvas[rows]
        optimizer.param_groups[0]["lr"] = rate(step / len(batches))
        optimizer.zero_grad()
        loss(network(torch.from_numpy(scans)), rows).backward()
        nn.utils.clip_grad_norm_(network.parameters(), STEEPEST, error_if_nonfinite=True)
        optimizer.step()
        if worth is not None and step + 1 in looks and (found := worth(network.eval())) > best:
            best, kept = found, copy.deepcopy(network.state_dict())
    if worth is not None:
        network.load_state_dict(kept)
    network.eval()
    return network


def scores(network: Network, canvas: Floats) -> Scores:
    """Return the first output of each scan, [n]."""
    return said(network, canvas)[:, 0]


def said(network: Network, canvas: Floats) -> Scores:
    """Return what a network in evaluation mode says of coarse scans, float64 [n, outputs]."""
    return _over(network, canvas)


def features(network: Network, canvas: Floats) -> NDArray[np.float64]:
    """Return the layer before the last, [n, 128]."""
    return _over(network.features, canvas)


def varied(canvas: Floats, chance: np.random.Generator) -> Floats:
    """Move every scan and shorten every second one: each photon is kept or not."""
    moved = canvas.copy()
    for scan in moved:
        shift = chance.integers(-DOWN, DOWN + 1), chance.integers(-ACROSS, ACROSS + 1)
        # What leaves on one side comes in on the other: the rim of a frame is empty.
        scan[:] = np.roll(scan, shift, axis=(1, 2))
        if chance.random() < 0.5:
            photons = np.rint(scan * CAMERA_PIXELS).astype(np.int64)
            scan[:] = chance.binomial(photons, chance.uniform(SHORTEST, 1)) / CAMERA_PIXELS
    return moved


def version() -> str:
    """Return a digest of this file: what another one has trained is another network."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def _layer(channels: int, more: int, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, more, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(more), nn.ReLU()]


def _over(read: Callable[[Tensor], Tensor], canvas: Floats) -> NDArray[np.float64]:
    with torch.inference_mode():
        parts = [read(torch.from_numpy(canvas[start : start + AT_ONCE])) for start in range(0, len(canvas), AT_ONCE)]
    return np.asarray(torch.cat(parts).double().numpy())


def _places(views: int) -> Tensor:
    """Return for each pixel how far down and across it lies, [views, 2, 256, 64], from -1 to 1."""
    down, across = (torch.linspace(-1, 1, size) for size in SHAPE)
    places = torch.stack(torch.meshgrid(down, across, indexing="ij"))
    return places.expand(views, -1, -1, -1)
