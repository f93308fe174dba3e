"""What the flow promises, whatever it has learnt."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from scintilab.generator.flow import COLS, ROWS, TOKENS, Flow, Guidance, integrate, to_latent, to_tokens

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
    one, four = (
        integrate(Away(), noise(2), condition, torch.ones(2, 2), steps=steps)  # type: ignore[arg-type]
        for steps in (1, 4)
    )
    torch.testing.assert_close(one, torch.full_like(one, 3.0))
    torch.testing.assert_close(four, one)


def ends(condition: torch.Tensor, times: float, most: float) -> torch.Tensor:
    """Follow a flow in one step under guidance; the first slot alone is about disease."""
    guidance = Guidance(times, most, torch.tensor([0.0, 1.0]), torch.zeros(2))
    known = torch.ones_like(condition)
    return integrate(Away(), noise(len(condition)), condition, known, steps=1, guidance=guidance)  # type: ignore[arg-type]


def test_guidance_draws_out_what_a_disease_changes() -> None:
    """Thrice the guidance goes thrice as far from the healthy twin, and a healthy patient is drawn as was learnt."""
    sick, healthy = torch.tensor([[0.1, 1.0]]), torch.tensor([[0.0, 1.0]])
    twin, told, more = ends(healthy, 3, 1), ends(sick, 1, 1), ends(sick, 3, 1)
    torch.testing.assert_close(more - twin, 3 * (told - twin))
    torch.testing.assert_close(twin, ends(healthy, 1, 1))


def test_guidance_adds_no_more_to_great_differences() -> None:
    """To what changes much is added no more than to what changes little, so more disease always goes further."""
    twin, little, much = (ends(torch.tensor([[load, 1.0]]), 3, 0.1) for load in (0.0, 0.1, 1.0))
    torch.testing.assert_close(little - twin, torch.full_like(twin, 0.1 + 2 * 0.1))
    torch.testing.assert_close(much - twin, torch.full_like(twin, 1.0 + 2 * 0.1))


def test_a_scan_does_not_depend_on_its_neighbours() -> None:
    """A scan made alone is the scan made among others."""
    network, start = flow(), noise(3)
    condition, known = torch.rand(3, SLOTS), torch.ones(3, SLOTS)
    guidance = Guidance(2.0, 0.05, torch.ones(SLOTS).index_fill(0, torch.tensor(0), 0.0), torch.zeros(SLOTS))
    with torch.inference_mode():
        together = integrate(network, start, condition, known, steps=2, guidance=guidance)
        alone = integrate(network, start[1:2], condition[1:2], known[1:2], steps=2, guidance=guidance)
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
