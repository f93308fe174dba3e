"""What the flow promises, whatever it has learnt."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from scintilab.generator.flow import COLS, ROWS, TOKENS, Flow, integrate, to_latent, to_tokens

SLOTS = 5


def noise(scans: int, channels: int = 4) -> Tensor:
    """Standard normal."""
    torch.manual_seed(3)
    return torch.randn(scans, channels, ROWS, COLS)


def flow() -> Flow:
    """A flow whose every weight does something."""
    torch.manual_seed(4)
    network = Flow(SLOTS, channels=4).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.05 * torch.randn_like(weights))
    return network


class Away(nn.Module):
    """Goes from noise to one place, as far as conditions say, in a straight line."""

    def forward(self, latent: Tensor, time: Tensor, condition: Tensor, known: Tensor) -> Tensor:
        """Return where the place is seen from here."""
        return (condition.sum(dim=1)[:, None, None, None] - latent) / (1 - time[:, None, None, None])


def test_tokens_hold_every_cell_once() -> None:
    """A latent image taken apart into tokens is put together again."""
    latent = noise(2)
    tokens = to_tokens(latent)
    assert tokens.shape == (2, TOKENS, 16)
    assert torch.equal(to_latent(tokens, 4), latent)
    assert torch.equal(tokens[0, 0].reshape(4, 2, 2), latent[0, :, :2, :2])


def test_a_straight_flow_needs_one_step() -> None:
    """A flow along straight lines ends at the same place in one step and in four."""
    condition = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    ends = [
        integrate(Away(), noise(2), condition, torch.ones(2, 2), steps=steps, guidance=1)  # type: ignore[arg-type]
        for steps in (1, 4)
    ]
    torch.testing.assert_close(ends[0], torch.full_like(ends[0], 3.0))
    torch.testing.assert_close(ends[1], ends[0])


def test_guidance_stretches_what_conditions_change() -> None:
    """Twice the guidance goes twice as far from where it goes when nothing is known."""
    condition = torch.ones(2, 2)
    free, told, more = (
        integrate(Away(), noise(2), condition, torch.ones(2, 2), steps=1, guidance=guidance)  # type: ignore[arg-type]
        for guidance in (0, 1, 2)
    )
    torch.testing.assert_close(more - free, 2 * (told - free))


def test_a_scan_does_not_depend_on_its_neighbours() -> None:
    """A scan made alone is the scan made among others."""
    network, start = flow(), noise(3)
    condition, known = torch.rand(3, SLOTS), torch.ones(3, SLOTS)
    with torch.inference_mode():
        together = integrate(network, start, condition, known, steps=2, guidance=1.5)
        alone = integrate(network, start[1:2], condition[1:2], known[1:2], steps=2, guidance=1.5)
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)


def test_time_and_conditions_change_where_it_goes() -> None:
    """Another time, another condition, and not knowing it, each give another velocity."""
    network, latent = flow(), noise(1)
    with torch.inference_mode():
        velocities = [
            network(latent, torch.tensor([time]), torch.full((1, SLOTS), told), torch.full((1, SLOTS), known))
            for time, told, known in ((0.2, 1.0, 1.0), (0.7, 1.0, 1.0), (0.2, 0.5, 1.0), (0.2, 0.0, 0.0))
        ]
    for one, other in pairwise(velocities):
        assert (one - other).abs().max() > 1e-3
