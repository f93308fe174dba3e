"""A network that reads scans, while it is trained and when it has been."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scintilab.head import Answer, Head
from scintilab.training.material import Material

AT_ONCE = 4


class Classifier(Protocol):
    """Convolutions, and what follows; the former may compute in bfloat16."""

    head: Head

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return its weights by name."""

    def features(self, canvas: Tensor, present: Tensor) -> Tensor:
        """Return feature maps for canvas [N, 2, h, w] and present [N, 2]."""

    def answer(self, features: Tensor, present: Tensor) -> Answer:
        """Return the findings, in float32."""


def logits(network: Classifier, material: Material) -> NDArray[np.float32]:
    """Return the logit of each scan, [n], of a network in evaluation mode."""
    answers = []
    with torch.inference_mode():
        for start in range(0, len(material.truth), AT_ONCE):
            scans = material.read(np.arange(start, min(start + AT_ONCE, len(material.truth))))
            canvas, present = torch.from_numpy(scans.canvas), torch.from_numpy(scans.present)
            with torch.autocast("cpu", torch.bfloat16):
                features = network.features(canvas, present)
            answers.append(network.answer(features, present).logit[:, 0].numpy())
    return np.concatenate(answers)
