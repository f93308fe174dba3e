"""What a graph says about many scans, asked once and kept on disk; a run that was cut off goes on where it stopped."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from scintiflow.inference.engine import Engine, check_golden, open_engine
from scintiflow.inference.manifest import EngineChoice, Manifest
from scintiflow.inference.session import Floats

AT_ONCE = 8
"""Scans read from disk together; the engine runs them one by one."""


@dataclass(frozen=True)
class Pixels:
    """Scans that lie on disk.

    Args:
        count: n.
        digest: of all their pixels, so that answers are never taken for another cohort's.
        read: row numbers [k] -> canvas [k, 2, 512, 256] and present [k, 2], as the graph takes them.
    """

    count: int
    digest: str
    read: Callable[[NDArray[np.intp]], tuple[Floats, Floats]]

    def part(self, rows: NDArray[np.intp]) -> "Pixels":
        """Return some rows, by number."""
        return Pixels(len(rows), _digest(self.digest, rows.tobytes().hex()), lambda some: self.read(rows[some]))


@dataclass(frozen=True)
class Answers:
    """What was said about n scans.

    Args:
        probability: [n], of the positive class.
        maps: [n, h, w], both views side by side.
        present: [n, 2], which views there were.
    """

    probability: Floats
    maps: Floats
    present: Floats


@dataclass(frozen=True)
class Reader:
    """A graph on an engine, and the folder that keeps its answers.

    Args:
        manifest: of the graph.
        engine: that runs it.
        cells: rows and columns of its maps.
        kept: a folder.
    """

    manifest: Manifest
    engine: Engine
    cells: tuple[int, int]
    kept: Path

    def ask(self, pixels: Pixels, what: str) -> Answers:
        """Return the answers about scans: those kept, and those that the engine gives now; `what` is said meanwhile.

        A map lies on disk before its probability does, so a row with a probability is whole.
        """
        facts = self.engine.describe()
        key = _digest(self.manifest.digest, facts.engine, facts.precision, pixels.digest)
        kept = _kept(self.kept / key[:32], pixels.count, self.cells)
        unread = np.flatnonzero(np.isnan(kept.probability))
        batches = np.split(unread, range(AT_ONCE, len(unread), AT_ONCE)) if len(unread) else []
        for rows in track(batches, what, disable=not batches):
            canvas, present = pixels.read(rows)
            answer = self.engine.run(canvas, present)
            kept.maps[rows], kept.present[rows] = answer.map[:, 0], present
            kept.probability[rows] = answer.probability[:, 0]
        return replace(kept, probability=np.array(kept.probability), present=np.array(kept.present))

    def instead(self, manifest: Manifest) -> "Reader":
        """Return the same engine and precision with other weights, which have no golden outputs of their own."""
        return replace(self, manifest=manifest, engine=open_engine(manifest.run_by(self.manifest.engine)))


def open_reader(manifest: Manifest, kept: Path, choice: EngineChoice | None = None) -> Reader:
    """Open the engine that reads, once it has reproduced the model's golden outputs.

    Raises:
        Refused: it cannot run here, or does not reproduce them.
    """
    manifest = manifest.run_by(choice or manifest.engine)
    engine = open_engine(manifest)
    check_golden(engine, manifest)
    with np.load(manifest.folder / manifest.golden) as golden:
        rows, cols = golden["map"].shape[2:]
    return Reader(manifest, engine, (rows, cols), kept)


def other_weights(manifest: Manifest, graph: Path) -> Manifest:
    """Return the manifest with the graph in another file, such as one trained from another seed."""
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    return manifest.model_copy(update={"folder": graph.parent, "file": graph.name, "digest": digest})


def _kept(folder: Path, count: int, cells: tuple[int, int]) -> Answers:
    """Open arrays mapped from disk, made where they are missing; a scan that was not read has no probability."""
    shapes = {"maps": (count, *cells), "present": (count, 2), "probability": (count,)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, shape in shapes.items():
        if not (folder / f"{name}.npy").exists():
            empty = np.lib.format.open_memmap(folder / f"{name}.part", "w+", np.float32, shape)
            empty[:] = np.nan
            empty.flush()
            (folder / f"{name}.part").rename(folder / f"{name}.npy")
    return Answers(**{name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in shapes})


def _digest(*said: str) -> str:
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
