"""The loop of every training: it can be stopped at any step, and goes on as if it had not been.

All random numbers of an epoch or a step come from a stream of its own, by its number, so there is no random state to
keep: what was learnt does not depend on where a training was interrupted.
"""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from scintiflow.errors import ScintiflowError
from scintilab.phantom.streams import stream
from scintilab.training.checkpoint import Checkpoint

SAVE_SECONDS = 180
STEEPEST = 5.0
"""Norm to which a gradient is cut; one odd batch of three scans must not undo what was learnt."""

Rows = NDArray[np.intp]


class Stopped(ScintiflowError):
    """The training was asked to stop, and can go on."""


@dataclass(frozen=True)
class Lesson:
    """Something to learn for a while.

    Args:
        name: shown, and part of the name of the random streams.
        epochs: how many there are.
        steps: of one epoch.
        batches: draws the rows of one epoch, a batch for each step.
        loss: of the rows of a batch, as random as the stream that it is given.
        rate: learning rate when this share of the lesson is done.
    """

    name: str
    epochs: int
    steps: int
    batches: Callable[[np.random.Generator], list[Rows]]
    loss: Callable[[Rows, np.random.Generator], Tensor]
    rate: Callable[[float], float]


def learn(
    pupil: nn.Module, optimizer: torch.optim.Optimizer, lesson: Lesson, checkpoint: Checkpoint, *, seed: int
) -> None:
    """Take a lesson from where the checkpoint says; save every epoch, every few minutes, and when stopped.

    Raises:
        Stopped: by Ctrl-C or SIGTERM; what was done is saved.
        Refused: the checkpoint is of another training.
    """
    done, total = checkpoint.resume(pupil, optimizer), lesson.epochs * lesson.steps
    with _stop_asked() as asked, _progress() as bar:
        shown = bar.add_task(lesson.name, total=total, completed=done, loss=math.nan)
        while done < total:
            epoch = done // lesson.steps
            batches = lesson.batches(stream(seed, epoch, f"{lesson.name} epoch"))
            losses, saved_at = [], time.monotonic()
            for rows in batches[done % lesson.steps :]:
                chance = stream(seed, done, f"{lesson.name} step")
                losses.append(_step(pupil, optimizer, lesson.loss(rows, chance), lesson.rate(done / total)))
                done += 1
                bar.update(shown, completed=done, loss=float(np.mean(losses[-20:])))
                if asked() or time.monotonic() > saved_at + SAVE_SECONDS:
                    checkpoint.save(done, pupil, optimizer)
                    saved_at = time.monotonic()
                if asked():
                    raise Stopped(f"Stopped after step {done} of {total}; the same command goes on from there.")
            checkpoint.save(done, pupil, optimizer)
            bar.console.print(f"{lesson.name}, epoch {epoch + 1} of {lesson.epochs}: loss {np.mean(losses):.3f}")


def balanced(
    truth: NDArray[np.bool_], sick: int, steps: int, chance: np.random.Generator, *, healthy: int = 1
) -> list[Rows]:
    """Draw an epoch of so many sick scans, each with so many healthy ones; nobody comes twice before everybody."""
    with_it = _drawn(np.flatnonzero(truth), sick, chance)[:, None]
    without = _drawn(np.flatnonzero(~truth), sick * healthy, chance).reshape(sick, healthy)
    return np.array_split(np.hstack([with_it, without]).ravel(), steps)


def one_cycle(peak: float, warm: float = 0.2) -> Callable[[float], float]:
    """Return a learning rate that rises in a line to its peak and falls in a cosine (Smith, arXiv 1708.07120)."""

    def rate(share: float) -> float:
        if share < warm:
            return peak * (0.04 + 0.96 * share / warm)
        return peak * (0.001 + 0.999 * (1 + math.cos(math.pi * (share - warm) / (1 - warm))) / 2)

    return rate


def _step(pupil: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(pupil.parameters(), STEEPEST, error_if_nonfinite=True)
    optimizer.step()
    return float(loss.item())


def _drawn(rows: Rows, count: int, chance: np.random.Generator) -> Rows:
    rounds = math.ceil(count / len(rows))
    return np.concatenate([chance.permutation(rows) for _ in range(rounds)])[:count]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a question that is answered between steps; a second one ends at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
