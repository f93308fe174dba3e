"""VGG16 on both views side by side, as in Ibrahim et al. 2023 (Cancer Imaging 23:12).

Each view is scaled to 0 to 1 by its own minimum and maximum, and both lie side by side: 512 x 512. Then VGG16's
thirteen convolutions, its last max-pool, global average pooling, 512 ReLU, and a two-way softmax, here as the
difference of its logits. What differs from the paper:

- The picture would be copied to three channels; a first convolution of one channel is the same function.
- After the scaling a cube root. One hot bladder or injection leaves the skeleton within a hundredth of the range, and
  without the weights of ImageNet, which are not here, nothing is learnt from that.
- Batch normalisation while the weights that stand in for ImageNet's are learnt; it is folded into the convolutions.
- The averages are brought to one scale before the 512.
"""

import torch
from torch import Tensor, nn

from scintilab.head import Answer, Head

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""VGG16: the channels of its convolutions; a max-pool stands between the blocks and after the last."""


class Network(nn.Module):
    """Canvas and presence in, finding out; everything after the canvas happens inside."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [_block(before[-1], block) for before, block in zip(((1,), *BLOCKS), BLOCKS, strict=False)]
        self.early = nn.Sequential(*blocks[0], *(layer for block in blocks[1:4] for layer in (nn.MaxPool2d(2), *block)))
        self.late = nn.Sequential(nn.MaxPool2d(2), *blocks[4])
        self.head = Head(512, 512)

    def forward(self, canvas: Tensor, present: Tensor) -> Answer:
        """Read N studies: canvas [N, 2, 512, 256] of mean counts, present [N, 2] of 0 and 1."""
        return self.answer(self.features(canvas, present), present)

    def features(self, canvas: Tensor, present: Tensor) -> Tensor:
        """Return what the last convolution gives, [N, 512, 32, 32]."""
        features: Tensor = self.late(self.early(side_by_side(canvas, present)))
        return features

    def answer(self, features: Tensor, present: Tensor) -> Answer:
        """Answer from the last convolution's features [N, 512, h, w], in float32.

        The max-pool hands the gradient of each of its cells to one cell below: their sum stays, and Grad-CAM's
        weights are those of the head over all cells of the map.
        """
        features = features.float()
        hidden = self.hidden(features)
        logit = self.head.logit(hidden)
        weights = self.head.channel_weights(hidden, features.shape[2] * features.shape[3])
        evidence = torch.relu((weights[:, :, None, None] * features).sum(dim=1, keepdim=True))
        seen = present.repeat_interleave(features.shape[3] // 2, dim=1)[:, None, None]
        return Answer(torch.sigmoid(logit), logit, evidence * seen)

    def hidden(self, features: Tensor) -> Tensor:
        """Return the 512 of the head, [N, 512]."""
        return self.head.hidden(nn.functional.max_pool2d(features, 2).mean(dim=(2, 3)))


def side_by_side(canvas: Tensor, present: Tensor) -> Tensor:
    """Scale each view to 0 to 1 by itself, take the cube root, and lay the views side by side: [N, 1, h, 2 w]."""
    return beside(scaled(canvas, present))


def scaled(canvas: Tensor, present: Tensor) -> Tensor:
    """Scale each view to 0 to 1 by itself, and take the cube root: [N, 2, h, w]."""
    low, high = canvas.amin(dim=(2, 3), keepdim=True), canvas.amax(dim=(2, 3), keepdim=True)
    root: Tensor = ((canvas - low) / (high - low).clamp(min=1e-6)).clamp(min=0) ** (1 / 3)
    return root * present[:, :, None, None]


def beside(views: Tensor) -> Tensor:
    """Lay both views [N, 2, h, w] side by side: [N, 1, h, 2 w]."""
    return torch.cat([views[:, :1], views[:, 1:]], dim=3)


def _block(channels: int, block: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for wider in block:
        layers += [nn.Conv2d(channels, wider, 3, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU()]
        channels = wider
    return layers
