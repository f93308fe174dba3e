"""What the loop of a training promises: it can be interrupted anywhere, and learns the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scintiflow.errors import Refused
from scintilab.training.checkpoint import Checkpoint
from scintilab.training.lesson import Lesson, Rows, Stopped, balanced, learn, one_cycle

ROOT = Path(__file__).parents[4]
TRUTH = np.arange(20) % 4 == 0
STEPS = 5


class Killed(Exception):
    """Stands for the end of the process: nothing of it is left but its files."""


def train(folder: Path, *, seed: int = 1, at: int = -1, meet: Callable[[], None] = lambda: None) -> list[Tensor]:
    """Learn four epochs of random numbers, meet something at one step, and return the weights."""
    torch.manual_seed(seed)
    pupil = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    taken = 0

    def loss(rows: Rows, chance: np.random.Generator) -> Tensor:
        nonlocal taken
        taken += 1
        if taken == at:
            meet()
        seen = torch.from_numpy(chance.normal(size=(len(rows), 3)).astype(np.float32))
        told = pupil(seen)[:, 0]
        return nn.functional.binary_cross_entropy_with_logits(told, torch.from_numpy(TRUTH[rows]).float())

    lesson = Lesson("sums", 4, STEPS, lambda chance: balanced(TRUTH, 8, STEPS, chance), loss, one_cycle(0.05))
    checkpoint = Checkpoint(folder / "checkpoint.pt", {"seed": seed})
    learn(pupil, torch.optim.AdamW(pupil.parameters()), lesson, checkpoint, seed=seed)
    return [weights.clone() for weights in pupil.state_dict().values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Tell whether weights are equal to the last bit."""
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


def kill() -> None:
    """End without a word."""
    raise Killed


def test_one_seed_gives_one_network(tmp_path: Path) -> None:
    """Two trainings from one seed end with the same weights, and from another seed with others."""
    first = train(tmp_path / "first")
    assert same(first, train(tmp_path / "second"))
    assert not same(first, train(tmp_path / "third", seed=2))


def stop(folder: Path, number: int) -> None:
    """Be told to stop at the eighth step, and print what is said then."""
    handler = signal.getsignal(number)
    try:
        train(folder, at=8, meet=lambda: os.kill(os.getpid(), number))
    except Stopped as stopped:
        print(stopped)
    assert signal.getsignal(number) is handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_training_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    """Asked to stop, it finishes its step, saves and says so; the same call then ends as if nothing had been.

    In a process of its own: one in which engines had run before has died of the signal.
    """
    folder = tmp_path / "stopped"
    call = f"from pathlib import Path; from {__name__} import stop; stop(Path({str(folder)!r}), {number:d})"
    told = subprocess.run([sys.executable, "-c", call], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "after step 8 of 20; the same command goes on" in told.stdout
    assert same(train(tmp_path / "stopped"), train(tmp_path / "through"))


@pytest.mark.parametrize("step", [3, 8, 19])
def test_killed_training_goes_on(tmp_path: Path, step: int) -> None:
    """Killed at any step, it goes on from the last epoch that it saved, and ends with the same weights."""
    with pytest.raises(Killed):
        train(tmp_path / "killed", at=step, meet=kill)
    assert same(train(tmp_path / "killed"), train(tmp_path / "through"))


def test_finished_training_is_not_done_again(tmp_path: Path) -> None:
    """What is complete is only read."""
    first = train(tmp_path)
    assert same(first, train(tmp_path, at=1, meet=kill))


def test_checkpoint_belongs_to_one_training(tmp_path: Path) -> None:
    """Another seed in the same folder is refused, and the sentence says what the folder holds."""
    train(tmp_path)
    with pytest.raises(Refused, match=r"is of another training \(seed 1\): train as then, or name another"):
        train(tmp_path, seed=2)


def test_half_of_every_batch_is_sick() -> None:
    """However few are sick, they are half of each batch (but for one), each as often as any other."""
    truth = np.arange(100) < 7
    batches = balanced(truth, 14, 4, np.random.default_rng(0))
    assert [len(rows) for rows in batches] == [7, 7, 7, 7]
    assert all(abs(2 * truth[rows].sum() - len(rows)) <= 1 for rows in batches)
    drawn = np.bincount(np.concatenate(batches), minlength=100)
    assert (drawn[:7] == 2).all()
    assert drawn[7:].max() == 1


def test_learning_rate_rises_and_falls() -> None:
    """It peaks after a fifth of the lesson, and ends near nothing."""
    rate = one_cycle(1e-3)
    shares = np.linspace(0, 1, 101)
    assert shares[np.argmax([rate(share) for share in shares])] == pytest.approx(0.2)
    assert rate(0.2) == pytest.approx(1e-3)
    assert max(rate(0), rate(1)) < 1e-4


def test_a_quarter_may_be_sick() -> None:
    """With three healthy scans for each sick one a quarter of every batch is sick, and all healthy ones come."""
    batches = balanced(TRUTH, 5, 5, np.random.default_rng(0), healthy=3)
    assert [int(TRUTH[rows].sum()) for rows in batches] == [1] * 5
    assert set(np.concatenate(batches)[~TRUTH[np.concatenate(batches)]]) == set(np.flatnonzero(~TRUTH))
