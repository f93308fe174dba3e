"""A trained tokeniser and flow -> what is served: model.onnx, golden.npz, guard.npz and manifest.toml."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.generator.conditions import Condition, Known
from scintilab.generator.flow import COLS, ROWS, Guidance, integrate
from scintilab.generator.learners import Learners, Source
from scintilab.generator.tokeniser import CHANNELS, Tokeniser
from scintilab.generator.train import level
from scintilab.generator.weights import Weights
from scintilab.graph import write_graph
from scintilab.phantom.streams import stream
from scintilab.studies.guard import threshold

EMBEDDED = 64
_POOL = 8
"""Canvas pixels, both ways, over which a scan is averaged before it is compared."""
_GOLDEN = 3

MANIFEST = """\
[model]
name = "generator"
version = "{version}"
kind = "generator"
file = "model.onnx"
digest = "{digest}"
golden = "golden.npz"
guard = "guard.npz"
evidence = "simulated patients"
counts = [150000, 600000, 3000000] # mean counts of a view: fewest, usual, most

[tolerance]
rate = 0.02 # of each scan's maximum
embedding = 0.02 # of the embedding's length

[engine]
name = "openvino"
precision = "f32"
rows = 4

{conditions}"""


class Scan(NamedTuple):
    """What the graph returns for N scans, float32."""

    rate: Tensor
    """[N, 2, 512, 256], >= 0: expected counts of each canvas pixel, on any scale; anterior, posterior."""
    embedding: Tensor
    """[N, EMBEDDED]: copies of one scan are near each other."""


class Embedding(nn.Module):
    """Averages of a scan's square roots, seen along the directions in which patients differ most."""

    def __init__(self, middle: Tensor, directions: Tensor) -> None:
        super().__init__()
        self.middle, self.directions = nn.Parameter(middle), nn.Parameter(directions)

    def forward(self, rate: Tensor) -> Tensor:
        """Return [N, EMBEDDED] of expected counts [N, 2, 512, 256]."""
        return (pooled(rate) - self.middle) @ self.directions


class Generator(nn.Module):
    """Noise and conditions in, expected counts out: the flow in so many steps, and the tokeniser's way back."""

    def __init__(self, weights: Weights, embedding: Embedding, *, steps: int, guidance: Guidance) -> None:
        super().__init__()
        self.tokeniser, self.flow, self.embedding = weights.tokeniser, weights.flow, embedding
        self.mean, self.deviation = nn.Parameter(weights.mean), nn.Parameter(weights.deviation)
        self.steps, self.guidance = steps, guidance

    def forward(self, noise: Tensor, condition: Tensor, known: Tensor) -> Scan:
        """Make N scans of standard normal noise [N, Z], conditions [N, slots], and which of them are known."""
        start = noise.reshape(-1, CHANNELS, ROWS, COLS)
        end = integrate(self.flow, start, condition, known, steps=self.steps, guidance=self.guidance)
        rate = self.tokeniser.decode(end * self.deviation + self.mean)
        return Scan(rate, self.embedding(rate))


NOISE = CHANNELS * ROWS * COLS
"""Z: how many standard normal numbers a scan is made of."""


class Guard(NamedTuple):
    """What nobody may be too near to."""

    training: NDArray[np.float32]
    """[M, EMBEDDED] of everybody who was learnt from, without noise."""
    threshold: np.float32


def pooled(rate: Tensor) -> Tensor:
    """Return square roots of averages of expected counts [N, 2, 512, 256], of mean 1, as [N, 4096]."""
    scaled = rate / rate.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
    return torch.sqrt(avg_pool2d(scaled, _POOL)).flatten(1)


def embed(tokeniser: Tokeniser, learnt: Source, held_out: Source) -> tuple[Embedding, Guard]:
    """Find the directions in which those who were learnt from differ, and how near others come to them."""
    known, others = _without_noise(tokeniser, learnt, "learnt from"), _without_noise(tokeniser, held_out, "held out")
    middle = known.mean(dim=0)
    _, _, directions = torch.svd_lowrank(known - middle, q=min(EMBEDDED, len(known)), niter=4)
    embedding = Embedding(middle, directions.contiguous())
    training, apart = (((scans - middle) @ directions).numpy() for scans in (known, others))
    return embedding, Guard(training, np.float32(threshold(apart, training)))


def unseen() -> Embedding:
    """Return an embedding that tells nobody apart: to look at scans before anybody is compared."""
    return Embedding(torch.zeros(2 * HEIGHT * WIDTH // _POOL**2), torch.zeros(2 * HEIGHT * WIDTH // _POOL**2, EMBEDDED))


def serve(generator: Generator, guard: Guard, learners: Learners, version: str, out: Path) -> str:
    """Write everything that is served; return the graph's digest."""
    some = torch.rand(2, learners.slots)
    given = {"noise": torch.randn(2, NOISE), "condition": some, "known": some.round()}
    graph = out / "model.onnx"
    write_graph(generator, graph, given, Scan._fields)
    _drop_shapes(graph)
    np.savez_compressed(out / "golden.npz", allow_pickle=False, **_golden(graph, learners))
    np.savez_compressed(out / "guard.npz", allow_pickle=False, **guard._asdict())
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    (out / "manifest.toml").write_text(manifest(learners.asked, digest, version), encoding="utf-8")
    return digest


def manifest(asked: Sequence[Condition], digest: str, version: str) -> str:
    """Return manifest.toml."""
    tables = "\n".join(f"[[condition]]\n{condition.table()}" for condition in asked)
    return MANIFEST.format(version=version, digest=digest, conditions=tables)


def _drop_shapes(graph: Path) -> None:
    """Leave out what was noted of shapes inside: engines find them anew, and over all steps it is much."""
    proto = onnx.load(graph)
    proto.graph.ClearField("value_info")
    onnx.save(proto, graph)


def _without_noise(tokeniser: Tokeniser, source: Source, who: str) -> Tensor:
    """Fold and unfold everybody: what is left is what was expected of them."""
    kept = []
    with torch.inference_mode():
        for start in track(range(0, len(source), 8), f"Comparing who is {who}"):
            canvas = source.read(np.arange(start, min(start + 8, len(source))))
            seen = torch.from_numpy(canvas / level(canvas)).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                rate = tokeniser.decode(tokeniser.encode(seen))
            kept.append(pooled(rate.float()))
    return torch.cat(kept)


def _golden(graph: Path, learners: Learners) -> dict[str, NDArray[np.generic]]:
    """Make a few scans with ONNX Runtime in float32, under conditions of the first who were learnt from."""
    rows = np.arange(min(_GOLDEN, len(learners.learnt)))
    told: Known = learners.known().rows(rows)
    noise = np.stack([stream(0, int(row), "golden").standard_normal(NOISE, np.float32) for row in rows])
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    given = {"noise": noise.astype(np.float16).astype(np.float32), **told._asdict()}
    outputs = session.run(list(Scan._fields), given)
    return {**given, "noise": noise.astype(np.float16), **dict(zip(Scan._fields, outputs, strict=True))}
