"""A network that has learnt what disease looks like from patients whom no generator has seen: it measures, and its
last layer but one is a space in which scans can be compared."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from scintiflow.inference.session import Floats
from scintilab.evaluate.bootstrap import Values
from scintilab.phantom.cohort import Cohort
from scintilab.phantom.streams import stream
from scintilab.studies.coarse import coarse
from scintilab.studies.compact import BATCH, Network, fit, said
from scintilab.studies.samples import of_cohort
from scintilab.training.checkpoint import write
from scintilab.training.lesson import Rows, balanced

STEPS = 1500
LOADS, RATIOS = 2.0, 5.0
"""Weights of the load and of the heart's ratio, whose logarithms are small, against the two questions."""


class Measured(NamedTuple):
    """What the network measures in n scans."""

    metastatic: Values
    """Logit."""
    cardiac: Values
    """Logit."""
    load: Values
    """Bone scan index, percent."""
    heart_ratio: Values
    """Mean counts over the heart beside those opposite."""


def observer(cohort: Cohort, kept: Path, *, seed: int = 1, steps: int = STEPS) -> Network:
    """Train on a cohort, or return what was trained and kept in that file."""
    network = Network(len(Measured._fields))
    if not kept.exists():
        write({"weights": _trained(cohort, seed, steps).state_dict()}, kept)
    network.load_state_dict(torch.load(kept, weights_only=True)["weights"])
    network.eval()
    return network


def random(seed: int = 1) -> Network:
    """Return a network that has learnt nothing: the floor of any space of features."""
    torch.manual_seed(seed)
    network = Network(1)
    network.eval()
    return network


def measured(network: Network, canvas: Floats) -> Measured:
    """Measure coarse scans, [n, 2, 256, 64]."""
    metastatic, cardiac, load, ratio = said(network, canvas).T
    return Measured(metastatic, cardiac, np.expm1(np.maximum(load, 0)), np.exp(ratio))


def _trained(cohort: Cohort, seed: int, steps: int) -> nn.Module:
    truth = cohort.truth
    sick = torch.from_numpy(np.stack([cohort.metastatic, cohort.cardiac], axis=1)).float()
    numbers = torch.from_numpy(np.stack([np.log1p(truth.bsi), np.log(truth.heart_ratio)], axis=1)).float()
    weights = torch.tensor([LOADS, RATIOS])

    def loss(told: Tensor, rows: Rows) -> Tensor:
        asked = binary_cross_entropy_with_logits(told[:, :2], sick[rows])
        off = smooth_l1_loss(told[:, 2:], numbers[rows], beta=0.1, reduction="none")
        return asked + (off * weights).sum(dim=1).mean()

    both = balanced(cohort.metastatic | cohort.cardiac, BATCH * steps // 2, steps, stream(seed, 0, "batches"))
    return fit(coarse(of_cohort(cohort)), both, loss, outputs=len(Measured._fields), seed=seed, classic=True)
