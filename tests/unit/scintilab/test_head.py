"""What the head of both classifiers promises: Grad-CAM without gradients, and normalisation that folds away."""

import copy

import pytest
import torch
from torch import Tensor, nn

from scintilab.cardiac.network import Network as Cardiac
from scintilab.head import Answer, fold
from scintilab.metastasis.network import Network as Metastasis

NETWORKS = pytest.mark.parametrize("kind", [Metastasis, Cardiac], ids=["metastasis", "cardiac"])
BOTH = torch.ones(2, 2)
FRONT = torch.tensor([[1.0, 1.0], [1.0, 0.0]])


def scans(seed: int = 0) -> Tensor:
    """Two scans of noise with bright places."""
    chance = torch.Generator().manual_seed(seed)
    rate = 5 * torch.rand(2, 2, 512, 256, generator=chance) ** 4
    return torch.poisson(rate, generator=chance)


def a_network(kind: type[nn.Module]) -> nn.Module:
    """A network of random weights that has seen two scans, so that its normalisations hold something."""
    torch.manual_seed(1)
    network = kind()
    with torch.no_grad():
        features = network.features(scans(), BOTH)
        for _ in range(3):
            network.hidden(features) if kind is Metastasis else network.hidden(features, BOTH)
    return network.eval()


def grad_cam(network: nn.Module, features: Tensor, present: Tensor) -> Answer:
    """Answer with the map of Selvaraju et al., by autograd: each view with weights of its own where it has some."""
    features = features.detach().requires_grad_()
    answer = network.answer(features, present)
    (gradient,) = torch.autograd.grad(answer.logit.sum(), features)
    weights = gradient.mean(dim=(-2, -1), keepdim=True)
    evidence = torch.relu((weights * features).sum(dim=-3))
    beside = evidence if evidence.ndim == 3 else torch.cat([evidence[:, 0], evidence[:, 1]], dim=2)
    return answer._replace(map=beside[:, None])


@NETWORKS
def test_map_is_grad_cam(kind: type[nn.Module]) -> None:
    """The map of the closed form equals the one by autograd to 1e-5 of its maximum."""
    network = a_network(kind)
    shape = network.features(scans(2), BOTH).shape
    features = torch.relu(torch.randn(shape, generator=torch.Generator().manual_seed(2)))
    expected = grad_cam(network, features, BOTH).map
    assert (expected > 0).float().mean() > 0.01
    torch.testing.assert_close(
        network.answer(features, BOTH).map, expected, rtol=0, atol=1e-5 * float(expected.detach().amax())
    )


@NETWORKS
def test_folding_changes_nothing(kind: type[nn.Module]) -> None:
    """Without its batch normalisations a network gives the same answers, and has none left between convolutions."""
    network = a_network(kind)
    folded = fold(copy.deepcopy(network))
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    with torch.inference_mode():
        before, after = network(scans(3), FRONT), folded(scans(3), FRONT)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-5 * float(one.abs().amax()))


@NETWORKS
@torch.inference_mode()
def test_absent_view_is_not_looked_at(kind: type[nn.Module]) -> None:
    """With `present` 0 it does not matter what a view's pixels hold, and its half of the map is empty."""
    network, canvas = a_network(kind), scans(4)
    without = canvas * FRONT[:, :, None, None]
    one, other = network(canvas, FRONT), network(without, FRONT)
    for left, right in zip(one, other, strict=True):
        assert torch.equal(left, right)
    assert not one.map[1, ..., one.map.shape[3] // 2 :].any()
    assert torch.isfinite(network(torch.zeros_like(canvas), torch.zeros(2, 2)).logit).all()


@NETWORKS
@torch.inference_mode()
def test_neighbours_change_nothing(kind: type[nn.Module]) -> None:
    """A scan gets the same answer alone and beside another."""
    network, canvas = a_network(kind), scans(5)
    together, alone = network(canvas, FRONT), network(canvas[1:], FRONT[1:])
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(other, one[1:], rtol=1e-5, atol=1e-6)


@NETWORKS
@torch.inference_mode()
def test_counting_longer_changes_nothing(kind: type[nn.Module]) -> None:
    """Each view is scaled by itself: with every count tripled the answer stays."""
    network, canvas = a_network(kind), scans(6)
    torch.testing.assert_close(network(3 * canvas, BOTH).logit, network(canvas, BOTH).logit, rtol=1e-3, atol=1e-3)


def test_cardiac_network_is_compact() -> None:
    """It has at most five million weights."""
    assert sum(weights.numel() for weights in Cardiac().parameters()) < 5_000_000


def test_metastasis_network_is_vgg16() -> None:
    """Its convolutions are those of VGG16 (configuration D of Simonyan and Zisserman), the first of one channel."""
    channels = [layer.out_channels for layer in Metastasis().modules() if isinstance(layer, nn.Conv2d)]
    assert channels == [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]


@NETWORKS
def test_a_rescaled_head_gives_its_logits_along_a_line(kind: type[nn.Module]) -> None:
    """After a rescaling by 0.5 and -1 every logit is half of what it was, less one; its map is still Grad-CAM."""
    network = a_network(kind)
    features = network.features(scans(), BOTH).detach()
    before = network.answer(features, BOTH)
    network.head.rescale(0.5, -1.0)
    after = network.answer(features, BOTH)
    torch.testing.assert_close(after.logit, 0.5 * before.logit - 1)
    torch.testing.assert_close(after.map, grad_cam(network, features, BOTH).map, atol=1e-5, rtol=1e-4)
