"""What the trainings of the generator promise."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from scintilab.generator.train import (
    PART,
    VARIANTS,
    Lengths,
    Pupil,
    deviance,
    drawn,
    fold,
    importance,
    normal,
    parts,
    pools,
    train_flow,
    train_tokeniser,
)
from tests.unit.scintilab.generator.learners import few

TERMS = {"patients": "few"}


def test_deviance_is_least_where_the_mean_is_right() -> None:
    """Counts of mean 4 have a deviance of about 1 under 4, and more under any other mean."""
    photons = torch.from_numpy(np.random.default_rng(1).poisson(4, 200_000).astype(np.float32))
    found = [float(deviance(photons, torch.tensor(mean)).mean()) for mean in (3.0, 4.0, 5.0)]
    assert found[1] == pytest.approx(1.07, abs=0.03)
    assert found[1] < min(found[0], found[2])
    assert float(deviance(torch.tensor(0.0), torch.tensor(0.5))) == pytest.approx(1.0)


def test_both_views_are_cut_at_the_same_part_of_the_body() -> None:
    """A column that is left of the patient's middle in front is right of it behind, in every part."""
    side = np.zeros((40, 2, 512, 256), np.int64)
    side[:, 0, :, :] = np.arange(256)
    side[:, 1, :, :] = np.arange(256)[::-1]
    cut, weight = parts(side, None, np.random.default_rng(2))
    assert cut.shape == weight.shape == (40, 2, PART, PART)
    assert np.array_equal(cut[:, 0], cut[:, 1, :, ::-1])
    assert len({int(part[0, 0, 0]) for part in cut}) > 3
    assert (weight == 1).all()


def test_a_metastasis_counts_more_and_is_looked_at_more_often() -> None:
    """About half of the parts of a scan with a metastasis in one corner hold it, and its pixels weigh more."""
    lesions = np.zeros((60, 2, 512, 256), bool)
    lesions[:, 0, :20, :20] = True
    _, weight = parts(np.zeros((60, 2, 512, 256), np.int64), lesions, np.random.default_rng(3))
    seen = weight.max(axis=(1, 2, 3)) > 1
    assert 0.4 < seen.mean() < 0.8
    assert weight[seen].max() == weight[seen, 0].max() == pytest.approx(4)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Tell whether weights are equal to the last bit."""
    return all(torch.equal(one[name], other[name]) for name in one)


def test_one_seed_gives_one_generator(tmp_path: Path) -> None:
    """All lessons, taken at once or in two pieces, end with the same weights, and they have learnt something."""
    learners, weights = few(), []
    for run in ("through", "pieces"):
        folder = tmp_path / run
        if run == "pieces":
            train_tokeniser(learners, folder, TERMS | {"steps": 2}, seed=1, lengths=Lengths(2, 0, 0, 1))
            (folder / "tokeniser.pt").unlink()
        tokeniser = train_tokeniser(learners, folder, TERMS, seed=1, lengths=Lengths(2, 2, 2, 1))
        latents = fold(tokeniser, learners.learnt, folder / "latents.npy", seed=1)
        flow = train_flow(learners, latents, tokeniser, folder, TERMS, seed=1, lengths=Lengths(2, 2, 2, 1))
        weights.append(tokeniser.state_dict() | flow.state_dict())
        assert latents.latent.shape[:2] == (VARIANTS, len(learners.learnt))
        assert np.isfinite(latents.latent).all()
    assert same(*weights)


def test_folded_scans_are_brought_to_one_scale(tmp_path: Path) -> None:
    """Over all folded scans every channel has mean 0 and deviation 1."""
    learners = few()
    tokeniser = train_tokeniser(learners, tmp_path, TERMS, seed=1, lengths=Lengths(1, 0, 0, 1))
    latents = fold(tokeniser, learners.learnt, tmp_path / "latents.npy", seed=1)
    rows = np.arange(len(learners.learnt))
    scans = torch.cat([normal(latents, np.full(len(rows), variant), rows) for variant in range(VARIANTS)])
    torch.testing.assert_close(scans.mean(dim=0), torch.zeros_like(scans[0]), atol=0.02, rtol=0)
    torch.testing.assert_close(scans.std(dim=(0, 2, 3)), torch.ones(scans.shape[1]), atol=0.02, rtol=0)


def test_average_follows_the_weights() -> None:
    """The averaged flow moves towards the flow that learns, a little each step."""
    pupil = Pupil(slots=3)
    with torch.no_grad():
        pupil.flow.place += 1
    before = float((pupil.flow.place - pupil.average.place).detach().abs().mean())
    pupil.follow()
    after = float((pupil.flow.place - pupil.average.place).detach().abs().mean())
    assert before == pytest.approx(1)
    assert after == pytest.approx(0.999, abs=1e-4)


def test_a_channel_counts_as_much_as_hangs_on_it(tmp_path: Path) -> None:
    """On average a channel counts once, one that nothing hangs on not at all, and none less than that."""
    learners = few()
    tokeniser = train_tokeniser(learners, tmp_path, TERMS, seed=1, lengths=Lengths(1, 0, 0, 1))
    latents = fold(tokeniser, learners.learnt, tmp_path / "latents.npy", seed=1)
    weight = importance(
        tokeniser, latents._replace(deviation=latents.deviation * (torch.arange(24) != 5)[:, None, None])
    )
    assert weight.shape == (24, 1, 1)
    assert float(weight.mean()) == pytest.approx(1)
    assert float(weight[5]) == float(weight.min()) == 0


def test_half_of_the_emphasis_is_on_the_sick() -> None:
    """A quarter of each batch has metastases, a quarter cardiac uptake; where nobody knows, everybody comes alike."""
    rows = np.arange(40)
    known = {"metastatic": rows < 8, "cardiac": rows >= 36, "sex": np.full(40, "F")}
    assert [pool.tolist() for pool in pools(known, 40)[2:]] == [list(range(8)), [36, 37, 38, 39]]
    for batch in drawn(pools(known, 40), 16, 5)(np.random.default_rng(1)):
        assert (batch[8:12] < 8).all()
        assert (batch[12:] >= 36).all()
    assert all(len(pool) == 40 for pool in pools({"sex": known["sex"]}, 40))
