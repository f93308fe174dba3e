"""Runs a classifier's graph on this machine, and proves first that it computes what the model's maker saw.

The graph (all float32): inputs `canvas` [N, 2, 512, 256] (anterior, posterior; mean counts per canvas
pixel; an absent view is zeros) and `present` [N, 2]; outputs `probability` [N, C], `logit` [N, C] and `map`
[N, C, h, w], which lies over the views side by side (left half anterior), values >= 0, not normalised.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintiflow.errors import Refused
from scintiflow.inference.arrays import padded, read_arrays
from scintiflow.inference.manifest import Device, Manifest, Mode
from scintiflow.inference.session import EngineFacts, Floats, Session, open_sessions

INPUTS: dict[str, tuple[int, ...]] = {"canvas": (2, HEIGHT, WIDTH), "present": (2,)}
"""Input names and the shape of one row."""

OUTPUTS = ("probability", "logit", "map")


@dataclass(frozen=True)
class Answer:
    """What the graph said about N rows: `probability` and `logit` [N, C], `map` [N, C, h, w]."""

    probability: Floats
    logit: Floats
    map: Floats

    def rows(self, first: int, last: int) -> "Answer":
        """Return rows `first` to `last`, the last one excluded."""
        return Answer(self.probability[first:last], self.logit[first:last], self.map[first:last])

    @classmethod
    def joined(cls, parts: Sequence["Answer"]) -> "Answer":
        """Return the rows of several answers, one after another."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in OUTPUTS))


_ON_GPU = (1, 4, 8, 16)
_SIZES: dict[Device, tuple[int, ...]] = {"cpu": (1,), "cuda": _ON_GPU, "tensorrt": _ON_GPU}
"""Rows that run at a time. On a CPU one row already keeps every core busy; a GPU takes batches of fixed sizes, because
what it records of a run can only be run again. With more than 16, VGG16 on an H200 came to no more scans a second."""


class Engine:
    """A loaded graph for batches of a few sizes, the last one padded with zeros; not thread-safe.

    No row is mixed with another in the graph. On a CPU each row is a run of its own, so that not even the last bit of
    an answer depends on its neighbours; on a GPU it may depend on the size of the batch.
    """

    def __init__(self, sessions: Mapping[int, Session]) -> None:
        self._sessions = dict(sorted(sessions.items()))

    def run(self, canvas: Floats, present: Floats) -> Answer:
        """Answer N rows, N >= 1.

        Raises:
            Refused: an output has the wrong shape, or holds something that is not a number or out of range.
        """
        answers, first = [], 0
        while first < len(canvas):
            rows = self._size(len(canvas) - first)
            answers.append(self._some(rows, canvas[first : first + rows], present[first : first + rows]))
            first += rows
        return Answer.joined(answers)

    def describe(self) -> EngineFacts:
        """Say what really runs."""
        return next(iter(self._sessions.values())).facts

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows that are run at once, ascending."""
        return tuple(self._sessions)

    def _size(self, rows: int) -> int:
        """Return the smallest batch that holds so many rows, else the largest."""
        return next((size for size in self._sessions if size >= rows), self.sizes[-1])

    def _some(self, size: int, canvas: Floats, present: Floats) -> Answer:
        session, given = self._sessions[size], {"canvas": canvas, "present": present}
        found = session.run({name: padded(given[name], size) for name in session.inputs})
        answer = Answer(*(found[name] for name in OUTPUTS))
        _check(answer, size)
        return answer.rows(0, len(canvas))


def open_engine(manifest: Manifest, *, cache: Path | None = None) -> Engine:
    """Load the graph on this machine, on the engine that the manifest says.

    Args:
        manifest: of the model; `Manifest.run_by` lets another engine run it.
        cache: a folder where engines keep what they build; None keeps nothing.

    Raises:
        Refused: the graph is not what the manifest says or breaks the contract, or the machine cannot do what
            was asked for; nothing else is used instead, unless the choice allows it.
    """
    sessions = open_sessions(manifest.graph(), manifest.engine, _sizes_for(manifest.engine.mode), cache=cache)
    for session in sessions.values():
        _keep_contract(session)
    return Engine(sessions)


def _sizes_for(mode: Mode) -> Callable[[Device], Sequence[int]]:
    """Return the sizes of batches by device; for throughput, as many rows as the CPU has cores run side by side."""
    if mode == "latency":
        return _SIZES.__getitem__
    cores = len(os.sched_getaffinity(0))
    doubled = (1 << power for power in range((cores - 1).bit_length()))
    return (_SIZES | {"cpu": (*doubled, cores)}).__getitem__


def check_golden(engine: Engine, manifest: Manifest) -> None:
    """Run the model's golden scans and compare probabilities and maps with what its maker computed.

    Both, because an engine was seen to return a wrong map beside a right probability; and in batches of every size, for
    each is built by itself.

    Raises:
        Refused: the golden file is unusable, or a value is further away than the manifest tolerates.
    """
    golden = _read_golden(manifest.folder / manifest.golden)
    count, golden["peak"] = len(golden["canvas"]), _peaks(golden["map"])
    for size in engine.sizes:
        for first in range(0, count, size):
            rows = (first + np.arange(size)) % count
            _compare(engine, {name: values[rows] for name, values in golden.items()}, manifest)


def _compare(engine: Engine, golden: Mapping[str, Floats], manifest: Manifest) -> None:
    found, facts = engine.run(golden["canvas"], golden["present"]), engine.describe()
    for name, allowed, scale in (
        ("probability", manifest.tolerance.probability, 1.0),
        ("map", manifest.tolerance.map, golden["peak"]),
    ):
        values: Floats = getattr(found, name)
        if values.shape != golden[name].shape:
            raise Refused(f"{manifest.golden} holds a {name} of another shape than the graph gives; build it again.")
        off = float(np.max(np.abs(values - golden[name]) / scale))
        if not off <= allowed:
            raise Refused(
                f"{facts.engine} in {facts.precision} does not reproduce the golden outputs: {name} is off by"
                f" {off:.3g}, {allowed:g} is allowed. Choose another engine or precision."
            )


def _read_golden(path: Path) -> dict[str, Floats]:
    """Read golden scans and outputs; arrays are named as the graph names them."""
    golden = read_arrays(path, (*INPUTS, "probability", "map"))
    count = len(golden["canvas"])
    if count == 0 or any(golden[name].shape != (count, *shape) for name, shape in INPUTS.items()):
        raise Refused(f"{path.name} does not hold scans of the shape that the graph takes; build the model again.")
    return golden


def _peaks(maps: Floats) -> Floats:
    """Return the maximum of each map, [N, C, 1, 1]; a map of nothing is measured against the highest one."""
    peaks: Floats = maps.max(axis=(2, 3), keepdims=True)
    peaks[peaks <= 0] = max(float(peaks.max()), float(np.finfo(np.float32).tiny))
    return peaks


def _check(answer: Answer, rows: int) -> None:
    findings = answer.probability.shape
    if len(findings) != 2 or findings[0] != rows or findings[1] < 1 or answer.logit.shape != findings:
        raise Refused("The model answered with a probability or logit of the wrong shape; no finding is given.")
    if answer.map.ndim != 4 or answer.map.shape[:2] != findings or answer.map.shape[3] % 2:
        raise Refused("The model answered with a map of the wrong shape; no finding is given.")
    if not all(np.isfinite(getattr(answer, name)).all() for name in OUTPUTS):
        raise Refused("The model answered with something that is not a number; no finding is given.")
    if answer.probability.min() < 0 or answer.probability.max() > 1 or answer.map.min() < 0:
        raise Refused("The model answered with a probability outside 0 to 1 or a negative map; no finding is given.")


def _keep_contract(session: Session) -> None:
    """Check names and shapes. `present` may be missing: a graph that does not use it loses it on the way here."""
    inputs, outputs = session.inputs, session.outputs
    if not {"canvas"} <= inputs.keys() or not inputs.items() <= INPUTS.items() or not set(OUTPUTS) <= set(outputs):
        raise Refused(
            f"The graph takes {_listed(inputs)} and gives {sorted(outputs)};"
            f" a classifier takes {_listed(INPUTS)} and gives {sorted(OUTPUTS)}."
        )


def _listed(inputs: Mapping[str, tuple[int, ...]]) -> str:
    return " and ".join(f"{name} {list(inputs[name])}" for name in sorted(inputs))
