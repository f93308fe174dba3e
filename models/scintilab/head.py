"""How feature maps become an answer: averages, two layers, and a map of what decided.

With global average pooling the Grad-CAM of Selvaraju et al. (ICCV 2017) needs no gradients: the weight of channel k,
the mean over all cells of d logit / d feature, is `sum_j w2[j] [h_j > 0] W1[j, k] / cells`, exactly.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Answer(NamedTuple):
    """What a graph returns for N studies, all float32."""

    probability: Tensor
    """[N, 1]."""
    logit: Tensor
    """[N, 1]."""
    map: Tensor
    """[N, 1, h, w], >= 0, over the views side by side: left half anterior, right half posterior."""


class Head(nn.Module):
    """Averages of K channels, brought to one scale; a layer with ReLU; and one logit.

    The logit is the difference between the two of a two-way softmax, which is the same function. Products and sums
    stand for matrix products: an engine that computes convolutions and matrix products in bfloat16 leaves them, and so
    the whole head and the map, in float32.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        # Averages over a whole body differ little between patients: without one scale nothing learns from them.
        self.scale = nn.BatchNorm1d(channels, affine=False)
        self.first = nn.Linear(channels, hidden)
        self.second = nn.Linear(hidden, 1)

    def hidden(self, average: Tensor, present: Tensor | None = None) -> Tensor:
        """Return the hidden layer [N, hidden] for averages [N, K].

        Args:
            average: of each channel over its cells.
            present: 0 for a channel whose view is absent [N, K]; it then says what an average patient's would.
        """
        scaled = self.scale(average)
        scaled = scaled if present is None else scaled * present
        return torch.relu(_product(scaled, self.first.weight) + self.first.bias)

    def logit(self, hidden: Tensor) -> Tensor:
        """Return the logit [N, 1] for the hidden layer."""
        return (hidden * self.second.weight).sum(dim=1, keepdim=True) + self.second.bias

    def rescale(self, slope: float, intercept: float) -> None:
        """Let every logit be slope times what it was, plus intercept."""
        with torch.no_grad():
            self.second.weight.mul_(slope)
            self.second.bias.mul_(slope).add_(intercept)

    def channel_weights(self, hidden: Tensor, cells: int) -> Tensor:
        """Return Grad-CAM's weight of each channel, [N, K], in evaluation mode.

        Args:
            hidden: what `hidden` returned, without an absent view's channels masked.
            cells: of the feature map, over which the gradient is averaged.
        """
        through = _product(self.second.weight * (hidden > 0), self.first.weight.T)
        deviation = torch.sqrt(self.scale.running_var + self.scale.eps)
        return through / (deviation * cells)


def fold(module: nn.Module) -> nn.Module:
    """Fold every batch normalisation that follows a convolution into it, in place; what is computed stays the same."""
    for child in module.children():
        fold(child)
    if isinstance(module, nn.Sequential):
        for index in range(len(module) - 1):
            convolution, norm = module[index], module[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[index] = fuse_conv_bn_eval(convolution.eval(), norm.eval())
                module[index + 1] = nn.Identity()
    return module


def _product(rows: Tensor, weights: Tensor) -> Tensor:
    """Return rows [N, k] times weights [m, k] transposed: [N, m]."""
    return (rows[:, None] * weights).sum(dim=2)
