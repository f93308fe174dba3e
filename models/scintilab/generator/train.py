"""How the generator learns: first the tokeniser, from parts of scans, then the flow, from folded scans.

The flow takes two lessons. In the first all channels of folded scans count alike, and everybody comes as often as there
are such patients; in the second those channels count more that pictures are made of, and half of the scans are of
patients who have something. Neither changes what is right, for each number is the mean of the same scans: only what is
learnt first.

The tokeniser never sees the counts that it is judged by: photons are dealt at random into two scans of a shorter time,
one goes in, and the other decides, by its Poisson likelihood, how well its expectation was told. What comes out is
therefore expected counts without noise, and nobody needs to know them, in an archive either.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.generator.conditions import forgotten
from scintilab.generator.flow import COLS, ROWS, Flow
from scintilab.generator.learners import Learners, Rows, Source
from scintilab.generator.tokeniser import CELL, CHANNELS, Tokeniser
from scintilab.phantom.streams import stream
from scintilab.training.checkpoint import Checkpoint
from scintilab.training.lesson import Lesson, learn, one_cycle

PHOTONS = 2
"""Camera pixels in a canvas pixel, for a matrix of 1024 x 256: a canvas holds their mean."""
PART = 128
"""Canvas pixels of a part, both ways."""
PARTS = 16
"""A step of the tokeniser."""
RATE = 1e-3
LESION = 4.0
"""How many times more a pixel over a metastasis counts, where that is known."""

BATCH = 64
"""Scans a step of the flow."""
FLOW_RATE, EMPHASIS_RATE = 1e-3, 5e-4
LONG = 500
"""Steps of a flow that are worth half a minute of compiling."""
VARIANTS = 3
"""How often every scan is folded, each time a little elsewhere and with other photons left out."""
DOWN, ACROSS = 8, 4
"""Canvas pixels that a patient may lie off."""
KEPT = 0.9
"""Share of the photons that a folded scan keeps."""
FORGET_EACH, FORGET_ALL = 0.1, 0.1
SMOOTH = 0.999
"""Share of the averaged weights that a step leaves."""


class Lengths(NamedTuple):
    """Steps of all lessons, saved and told of every `epoch` steps."""

    tokeniser: int
    flow: int
    emphasis: int
    epoch: int


class Course(NamedTuple):
    """How the flow learns in one of its lessons."""

    name: str
    steps: int
    peak: float
    """Learning rate."""
    sides: Sequence[Rows]
    """Each batch takes as many from every one."""
    weight: Tensor
    """What each channel of a folded scan counts, [CHANNELS, 1, 1]."""


class Latents(NamedTuple):
    """Folded scans, and what makes them of mean 0 and deviation 1."""

    latent: NDArray[np.float16]
    """[VARIANTS, n, CHANNELS, ROWS, COLS]."""
    mean: Tensor
    """[CHANNELS, ROWS, COLS]."""
    deviation: Tensor
    """[CHANNELS, 1, 1]."""


class Pupil(nn.Module):
    """A flow and the average of its weights over the last steps, which draws better scans."""

    def __init__(self, slots: int, knows: Flow | None = None) -> None:
        super().__init__()
        self.flow: Flow = Flow(slots)
        self.average: Flow = Flow(slots)
        if knows is not None:
            self.flow.load_state_dict(knows.state_dict())
        self.average.load_state_dict(self.flow.state_dict())
        self.average.requires_grad_(False)

    def follow(self) -> None:
        """Move the average a little towards the weights."""
        with torch.no_grad():
            for average, weights in zip(self.average.parameters(), self.flow.parameters(), strict=True):
                average.lerp_(weights, 1 - SMOOTH)


def train_tokeniser(
    learners: Learners, folder: Path, terms: Mapping[str, Any], *, seed: int, lengths: Lengths
) -> Tokeniser:
    """Take the first lesson from where it was left; see `learn` for what it raises."""
    torch.manual_seed(seed)
    pupil: Tokeniser = Tokeniser().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(pupil.parameters(), weight_decay=1e-3)
    lesson = Lesson(
        name="tokeniser",
        epochs=lengths.tokeniser // lengths.epoch,
        steps=lengths.epoch,
        batches=drawn([np.arange(len(learners.learnt))], PARTS, lengths.epoch),
        loss=_unfolding(pupil, learners.learnt),
        rate=one_cycle(RATE, warm=0.1),
    )
    terms = {**terms, "seed": seed, "steps": lengths.tokeniser}
    learn(pupil, optimizer, lesson, Checkpoint(folder / "tokeniser.pt", terms), seed=seed)
    pupil.eval()
    return pupil


def train_flow(
    learners: Learners,
    latents: Latents,
    tokeniser: Tokeniser,
    folder: Path,
    terms: Mapping[str, Any],
    *,
    seed: int,
    lengths: Lengths,
) -> Flow:
    """Take the flow's lessons from where they were left, and return its average; see `learn` for what it raises."""
    torch.manual_seed(seed)
    everybody = np.arange(len(learners.learnt))
    sides, weight = pools(learners.learnt.values(), len(everybody)), importance(tokeniser, latents)
    flow: Flow | None = None
    terms = {**terms, "seed": seed}
    for course in (
        Course("flow", lengths.flow, FLOW_RATE, [everybody], torch.ones(CHANNELS, 1, 1)),
        Course("emphasis", lengths.emphasis, EMPHASIS_RATE, sides, weight),
    ):
        pupil: Pupil = Pupil(learners.slots, flow).train()
        optimizer = torch.optim.AdamW(pupil.flow.parameters(), betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        terms[course.name] = course.steps
        checkpoint = Checkpoint(folder / f"{course.name}.pt", terms)
        learn(pupil, optimizer, _lesson(course, pupil, learners, latents, lengths.epoch), checkpoint, seed=seed)
        flow = pupil.average
    pupil.eval()
    return pupil.average


def importance(tokeniser: Tokeniser, latents: Latents, scans: int = 8) -> Tensor:
    """Return how much of a picture hangs on each channel of a folded scan, [CHANNELS, 1, 1], of mean 1.

    It is the square root, so that small ones still count, of the mean squared change of the square root of the expected
    counts, in which photons are equally noisy everywhere, when a channel is disturbed by a third of its deviation.
    """
    folded = torch.from_numpy(latents.latent[0, :scans].astype(np.float32))
    chance = np.random.Generator(np.random.Philox(0))
    noise = torch.from_numpy(chance.standard_normal(folded.shape, np.float32)) * latents.deviation / 3
    changes = []
    with torch.inference_mode():
        seen = tokeniser.decode(folded).sqrt()
        for channel in torch.eye(CHANNELS).unbind():
            disturbed = folded + noise * channel[:, None, None]
            changes.append((tokeniser.decode(disturbed).sqrt() - seen).square().mean())
    root = torch.stack(changes).sqrt()
    return (root / root.mean())[:, None, None].clone()


def fold(tokeniser: Tokeniser, source: Source, file: Path, *, seed: int) -> Latents:
    """Fold every scan of a source VARIANTS times into `file`, unless it is there, and measure mean and deviation."""
    if not file.exists():
        part = file.with_suffix(".unfinished.npy")
        shape = (VARIANTS, len(source), CHANNELS, ROWS, COLS)
        kept = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        for variant in range(VARIANTS):
            for start in track(range(0, len(source), 8), f"Folding scans, {variant + 1} of {VARIANTS}"):
                rows = np.arange(start, min(start + 8, len(source)))
                kept[variant, rows] = _folded(tokeniser, source, rows, stream(seed, start, variant, "fold"))
        kept.flush()
        part.rename(file)
    latent = np.load(file, mmap_mode="r")
    some = torch.from_numpy(latent[:, : min(len(source), 2000)].astype(np.float32)).flatten(0, 1)
    mean = some.mean(dim=0)
    return Latents(latent, mean, (some - mean).std(dim=(0, 2, 3))[:, None, None])


def normal(latents: Latents, variants: NDArray[np.intp], rows: Rows) -> Tensor:
    """Return folded scans [n, CHANNELS, ROWS, COLS] of mean 0 and deviation 1."""
    return (torch.from_numpy(latents.latent[variants, rows].astype(np.float32)) - latents.mean) / latents.deviation


def counts(canvas: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the photons of canvas pixels."""
    return np.rint(PHOTONS * canvas).astype(np.int64)


def level(canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of canvases [n, 2, h, w], [n, 1, 1, 1]; a scan is folded as multiples of it."""
    return np.asarray(canvas.mean(axis=(1, 2, 3), keepdims=True).clip(1e-3), np.float32)


def _folded(tokeniser: Tokeniser, source: Source, rows: Rows, chance: np.random.Generator) -> NDArray[np.float16]:
    canvas = source.read(rows)
    photons = chance.binomial(counts(canvas), KEPT)
    for row in range(len(rows)):
        down, across = int(chance.integers(-DOWN, DOWN + 1)), int(chance.integers(-ACROSS, ACROSS + 1))
        # On the table a step to the patient's left is one to the right in one view, and to the left in the other.
        for view, way in enumerate((1, -1)):
            photons[row, view] = np.roll(photons[row, view], (down, way * across), axis=(0, 1))
    given = (photons / (PHOTONS * KEPT * level(canvas))).astype(np.float32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        latent = tokeniser.encode(torch.from_numpy(given).to(memory_format=torch.channels_last))
    folded: NDArray[np.float16] = latent.float().numpy().astype(np.float16)
    return folded


def _lesson(course: Course, pupil: Pupil, learners: Learners, latents: Latents, epoch: int) -> Lesson:
    known, flow = learners.known(), _compiled(pupil.flow) if course.steps >= LONG else pupil.flow

    def loss(rows: Rows, chance: np.random.Generator) -> Tensor:
        pupil.follow()
        told = forgotten(learners.asked, known.rows(rows), chance, each=FORGET_EACH, all=FORGET_ALL)
        scan = normal(latents, chance.integers(VARIANTS, size=len(rows)), rows)
        noise = torch.from_numpy(chance.standard_normal(scan.shape, np.float32))
        time = torch.from_numpy(_times(len(rows), chance))
        between = torch.lerp(noise, scan, time[:, None, None, None])
        with torch.autocast("cpu", torch.bfloat16):
            velocity = flow(between, time, *map(torch.from_numpy, told))
        return (course.weight * (velocity.float() - (scan - noise)).square()).mean()

    return Lesson(
        name=course.name,
        epochs=course.steps // epoch,
        steps=epoch,
        batches=drawn(course.sides, BATCH, epoch),
        loss=loss,
        rate=one_cycle(course.peak, warm=0.05),
    )


def pools(values: Mapping[str, NDArray[np.generic]], scans: int) -> list[Rows]:
    """Return everybody twice, those with metastases and those with cardiac uptake, as far as that is known."""
    everybody = np.arange(scans)
    sick = [np.flatnonzero(values[name]) for name in ("metastatic", "cardiac") if name in values]
    return [everybody, everybody, *(rows for rows in sick if len(rows))]


def _unfolding(tokeniser: Tokeniser, source: Source) -> Callable[[Rows, np.random.Generator], Tensor]:
    """Ask how likely the photons that were left out are, given the others."""

    def loss(rows: Rows, chance: np.random.Generator) -> Tensor:
        canvas = source.read(rows)
        scale, places = level(canvas), source.lesions(rows)
        photons, weight = parts(counts(canvas), places, chance)
        share = chance.uniform(0.5, 0.9)
        given = chance.binomial(photons, share)
        left = torch.from_numpy((photons - given).astype(np.float32))
        seen = torch.from_numpy((given / (PHOTONS * share * scale)).astype(np.float32))
        with torch.autocast("cpu", torch.bfloat16):
            expected = tokeniser.decode(tokeniser.encode(seen.to(memory_format=torch.channels_last)))
        mean = torch.from_numpy(np.asarray(PHOTONS * (1 - share) * scale, np.float32)) * expected.float() + 1e-3
        return (torch.from_numpy(weight) * deviance(left, mean)).mean()

    return loss


def deviance(photons: Tensor, mean: Tensor) -> Tensor:
    """Return the Poisson deviance of each pixel, 2 (n log(n / mean) - n + mean): about 1 where the mean is right."""
    return 2 * (torch.xlogy(photons, photons) - photons * mean.log() - photons + mean)


def parts(
    photons: NDArray[np.int64], lesions: NDArray[np.bool_] | None, chance: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Cut a part out of every scan [n, 2, 512, 256], the same part of the body in both views.

    Every second one of those with a metastasis, where that is known, holds a piece of it.

    Returns:
        Photons [n, 2, PART, PART], and the weight of each pixel.
    """
    cut, weight = [], []
    for row in range(len(photons)):
        where = np.zeros(photons.shape[1:], bool) if lesions is None else lesions[row]
        part = _part(where, chance)
        cut.append(np.stack([view[one] for view, one in zip(photons[row], part, strict=True)]))
        inside = np.stack([view[one] for view, one in zip(where, part, strict=True)])
        weight.append(1 + (LESION - 1) * inside.astype(np.float32))
    return np.stack(cut), np.stack(weight).astype(np.float32)


def _part(where: NDArray[np.bool_], chance: np.random.Generator) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Choose a part on both views, on the borders of latent cells."""
    top, left = (CELL * int(chance.integers((size - PART) // CELL + 1)) for size in (HEIGHT, WIDTH))
    if where[0].any() and chance.random() < 0.5:
        focus = np.argwhere(where[0])[chance.integers(where[0].sum())]
        begin = CELL * ((focus - chance.integers(PART, size=2)) // CELL)
        top, left = (int(at) for at in np.clip(begin, 0, (HEIGHT - PART, WIDTH - PART)))
    rows, mirrored = slice(top, top + PART), WIDTH - PART - left
    return (rows, slice(left, left + PART)), (rows, slice(mirrored, mirrored + PART))


def _compiled(flow: Flow) -> Callable[..., Tensor]:
    """Return a flow that learns a third faster, where a C++ compiler is at hand."""
    return torch.compile(flow) if shutil.which("g++") else flow


def _times(scans: int, chance: np.random.Generator) -> NDArray[np.float32]:
    """Draw times, more often in the middle, where most is decided (Esser et al. 2024, arXiv 2403.03206)."""
    return (1 / (1 + np.exp(-chance.standard_normal(scans)))).astype(np.float32)


def drawn(sides: Sequence[Rows], batch: int, steps: int) -> Callable[[np.random.Generator], list[Rows]]:
    """Draw an epoch's batches, as many from each side; nobody comes twice before everybody of a side."""
    each = batch // len(sides)

    def batches(chance: np.random.Generator) -> list[Rows]:
        return list(np.hstack([_in_turn(rows, each * steps, chance).reshape(steps, each) for rows in sides]))

    return batches


def _in_turn(rows: Rows, count: int, chance: np.random.Generator) -> Rows:
    rounds = -(-count // len(rows))
    return np.concatenate([chance.permutation(rows) for _ in range(rounds)])[:count]
