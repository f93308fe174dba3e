"""Opens a graph on this machine: which engine, in which precision, on which device, for how many rows at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineChoice

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class EngineFacts:
    """What really runs: engine with its version, precision as the engine reports it, device."""

    engine: str
    precision: str
    device: str
    nodes: Mapping[str, int] = field(default_factory=dict)
    """How many nodes of the graph run where, as far as the engine tells."""


@dataclass(frozen=True)
class Session:
    """A loaded graph; not thread-safe."""

    inputs: Mapping[str, tuple[int, ...]]
    """Name of each input and the shape of one row."""
    outputs: tuple[str, ...]
    run: Callable[[Mapping[str, Floats]], dict[str, Floats]]
    """Input arrays by name, each with the rows that the session was opened for -> output arrays by name."""
    facts: EngineFacts


def open_session(graph: bytes, choice: EngineChoice, *, rows: int, cache: Path | None = None) -> Session:
    """Load `graph`, whose only open dimension is the number of rows, for batches of `rows`.

    Args:
        graph: ONNX, with all its weights.
        choice: what runs it, where, and how exactly.
        rows: in every batch.
        cache: a folder where engines keep what they build, which takes minutes on a GPU; None keeps nothing.

    Raises:
        Refused: the machine cannot do what was asked for; nothing else is used instead, unless the choice allows it.
    """
    if choice.name == "openvino" and choice.device != "cpu":
        raise Refused(f"OpenVINO runs on the CPU here, not with {choice.device}; set the engine to onnxruntime.")
    try:
        if choice.name == "openvino":
            from scintiflow.inference.openvino_session import open_openvino

            return open_openvino(graph, choice, rows)
        from scintiflow.inference.onnxruntime_session import open_onnxruntime

        return open_onnxruntime(graph, choice, rows, cache)
    except ModuleNotFoundError as error:
        raise Refused(f"The engine {choice.name} is not installed here ({error.name}); choose another.") from error


def shape_of_row(name: str, shape: Sequence[int | str | None]) -> tuple[int, ...]:
    """Return the shape of one row of a tensor, for which the graph gives `shape`.

    Raises:
        Refused: more is open than the number of rows.
    """
    row = tuple(length for length in shape[1:] if isinstance(length, int))
    if len(row) != len(shape) - 1:
        raise Refused(f"The graph leaves more open of {name} than the number of rows; export it again.")
    return row
