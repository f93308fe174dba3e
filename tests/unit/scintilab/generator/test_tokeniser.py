"""What the tokeniser promises, whatever it has learnt."""

import torch
from torch import Tensor

from scintilab.generator.tokeniser import CHANNELS, Tokeniser, aligned


def tokeniser() -> Tokeniser:
    """A tokeniser whose every weight does something."""
    torch.manual_seed(1)
    network = Tokeniser().eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.02 * torch.randn_like(weights))
    return network


def canvas(rows: int, cols: int) -> Tensor:
    """Counts of mean 1 about."""
    torch.manual_seed(2)
    return torch.poisson(torch.ones(1, 2, rows, cols))


def test_posterior_view_is_mirrored_and_mirrored_back() -> None:
    """Aligning twice changes nothing, and only the posterior view is mirrored."""
    scan = canvas(32, 32)
    assert torch.equal(aligned(aligned(scan)), scan)
    assert torch.equal(aligned(scan)[:, 0], scan[:, 0])
    assert torch.equal(aligned(scan)[:, 1], scan[:, 1].flip(-1))


def test_expected_counts_are_never_negative() -> None:
    """What is unfolded has the shape of a canvas and no pixel below nothing."""
    network = tokeniser()
    with torch.inference_mode():
        latent = network.encode(canvas(64, 64))
        rate = network.decode(latent)
    assert latent.shape == (1, CHANNELS, 4, 4)
    assert rate.shape == (1, 2, 64, 64)
    assert rate.min() >= 0
    assert rate.max() > 0


def test_a_part_is_folded_as_the_whole_is() -> None:
    """Far from its rim a part of a scan, cut out of both views alike, has the latent image of the whole."""
    network, whole = tokeniser(), canvas(320, 320)
    part = torch.stack([whole[:, 0, 64:256, 64:256], whole[:, 1, 64:256, 64:256]], dim=1)
    with torch.inference_mode():
        inner = network.encode(part)[:, :, 5:-5, 5:-5]
        expected = network.encode(whole)[:, :, 4 + 5 : 16 - 5, 4 + 5 : 16 - 5]
    torch.testing.assert_close(inner, expected, atol=1e-4, rtol=1e-4)
