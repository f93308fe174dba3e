"""A small residual network that reads the anterior view, and the posterior one when it is there.

Both views pass through the same layers; where a feature lies, and in which view, is told to it on the way. What the
head would take from an absent view is nought, which is what an average patient's view says.
"""

import torch
from torch import Tensor, nn

from scintilab.head import Answer, Head

CELLS = (64, 16)
"""Rows and columns of the last feature map of one view; a cell is 38 mm square on a 2.4 mm scan."""
CHANNELS = 192
HOTTEST = 8.0
"""Times a view's mean (in square roots) that a pixel counts at most: bladders and injections do, hearts do not."""


class Network(nn.Module):
    """Canvas and presence in, finding out; everything after the canvas happens inside."""

    def __init__(self) -> None:
        super().__init__()
        # A canvas pixel of a whole-body scan is twice as tall as wide; the first layer makes pixels square.
        self.local = nn.Sequential(
            *_layer(1, 16, kernel=(3, 5), stride=(1, 2)),
            *_layer(16, 32, stride=2),
            Residual(32),
            *_layer(32, 96, stride=2),
            Residual(96),
        )
        # A number for each row and one for each column: a free one for each place would learn patients by heart.
        self.rows = nn.Parameter(torch.zeros(2, 96, 2 * CELLS[0], 1))
        self.columns = nn.Parameter(torch.zeros(2, 96, 1, 2 * CELLS[1]))
        self.regional = nn.Sequential(*_layer(96, CHANNELS, stride=2), Residual(CHANNELS), Residual(CHANNELS))
        self.head = Head(2 * CHANNELS, 128)

    def forward(self, canvas: Tensor, present: Tensor) -> Answer:
        """Read N studies: canvas [N, 2, 512, 256] of mean counts, present [N, 2] of 0 and 1."""
        return self.answer(self.features(canvas, present), present)

    def features(self, canvas: Tensor, present: Tensor) -> Tensor:
        """Return what the last layer gives for each view, [N, 2, 192, 64, 16]."""
        views = even_brightness(canvas * present[:, :, None, None]).reshape(-1, 1, *canvas.shape[2:])
        near = self.local(views)
        placed = near.reshape(-1, 2, *near.shape[1:]) + self.rows + self.columns
        features = self.regional(placed.reshape(-1, *near.shape[1:]))
        return features.reshape(-1, 2, *features.shape[1:])

    def answer(self, features: Tensor, present: Tensor) -> Answer:
        """Answer from features [N, 2, 192, 64, 16], in float32; each view has Grad-CAM weights of its own."""
        features = features.float()
        hidden = self.hidden(features, present)
        logit = self.head.logit(hidden)
        weights = self.head.channel_weights(hidden, CELLS[0] * CELLS[1]) * _channels(present)
        each = weights.reshape(-1, 2, CHANNELS, 1, 1) * features
        evidence = torch.relu(each.sum(dim=2)).transpose(1, 2).reshape(-1, 1, CELLS[0], 2 * CELLS[1])
        return Answer(torch.sigmoid(logit), logit, evidence)

    def hidden(self, features: Tensor, present: Tensor) -> Tensor:
        """Return the 128 of the head, [N, 128]."""
        return self.head.hidden(features.mean(dim=(3, 4)).reshape(-1, 2 * CHANNELS), _channels(present))


class Residual(nn.Module):
    """Two 3 x 3 convolutions round a short cut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.around = nn.Sequential(*_layer(channels, channels), *_layer(channels, channels)[:2])

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape, [n, channels, rows, cols]."""
        return torch.relu(features + self.around(features))


def even_brightness(canvas: Tensor) -> Tensor:
    """Scale each view by itself, in square roots, where Poisson noise is even and hot spots weigh little."""
    root = canvas.clamp(min=0).sqrt()
    return (root / (root.mean(dim=(2, 3), keepdim=True) + 1e-6)).clamp(max=HOTTEST)


def _channels(present: Tensor) -> Tensor:
    """Return for each of the head's channels whether its view is there, [N, 384]."""
    return present.repeat_interleave(CHANNELS, dim=1)


def _layer(
    channels: int, more: int, *, kernel: tuple[int, int] = (3, 3), stride: int | tuple[int, int] = 1
) -> list[nn.Module]:
    padding = (kernel[0] // 2, kernel[1] // 2)
    convolution = nn.Conv2d(channels, more, kernel, stride=stride, padding=padding, bias=False)
    return [convolution, nn.BatchNorm2d(more), nn.ReLU()]
