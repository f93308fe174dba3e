"""Opens a graph on this machine: which engine, in which precision, on which device, for how many rows at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintiflow.inference.manifest import GPU_PRECISIONS, Device, EngineChoice, Precision

Floats = NDArray[np.float32]

_DOWN: tuple[Device, ...] = ("tensorrt", "cuda", "cpu")
"""From the fastest to the one that every machine has."""
_NAMES: Mapping[Device, str] = {"tensorrt": "TensorRT", "cuda": "CUDA", "cpu": "the CPU"}


@dataclass(frozen=True)
class EngineFacts:
    """What really runs: engine with its version, precision as the engine reports it, device."""

    engine: str
    precision: str
    device: str
    nodes: Mapping[str, int] = field(default_factory=dict)
    """How many nodes of the graph run where, as far as the engine tells."""
    stands_in: bool = False
    """Whether it runs in place of what was asked for, which this machine does not have."""
    mode: str | None = None
    """What it does with the cores, where the engine has a choice."""


@dataclass(frozen=True)
class Session:
    """A loaded graph; not thread-safe."""

    inputs: Mapping[str, tuple[int, ...]]
    """Name of each input and the shape of one row."""
    outputs: tuple[str, ...]
    run: Callable[[Mapping[str, Floats]], dict[str, Floats]]
    """Input arrays by name, each with the rows that the session was opened for -> output arrays by name."""
    facts: EngineFacts


def open_sessions(
    graph: bytes, choice: EngineChoice, sizes: Callable[[Device], Sequence[int]], *, cache: Path | None = None
) -> dict[int, Session]:
    """Load `graph`, whose only open dimension is the number of rows, for batches of some sizes, all on one device.

    Args:
        graph: ONNX, with all its weights.
        choice: what runs it, where, and how exactly.
        sizes: rows in a batch, by the device that runs it.
        cache: a folder where engines keep what they build, which takes minutes on a GPU; None keeps nothing.

    Raises:
        Refused: the machine cannot do what was asked for; nothing else is used instead, unless the choice allows it.
    """
    _require_sense(choice)
    missed: list[str] = []
    for device in _DOWN[_DOWN.index(choice.device) :]:
        one = choice.model_copy(update={"device": device, "precision": _kept(choice, device)})
        try:
            sessions = _open(graph, one, sizes(device), cache)
        except Refused as refused:
            missed.append(str(refused))
            if not choice.fallback:
                break
        else:
            return _told(sessions, device, choice.device, missed) if missed else sessions
    raise Refused(" ".join(missed))


def shape_of_row(name: str, shape: Sequence[int | str | None]) -> tuple[int, ...]:
    """Return the shape of one row of a tensor, for which the graph gives `shape`.

    Raises:
        Refused: more is open than the number of rows.
    """
    row = tuple(length for length in shape[1:] if isinstance(length, int))
    if len(row) != len(shape) - 1:
        raise Refused(f"The graph leaves more open of {name} than the number of rows; export it again.")
    return row


def _require_sense(choice: EngineChoice) -> None:
    """Refuse what no machine can do, whatever may be used instead of what is missing on this one."""
    if choice.name == "openvino" and choice.device != "cpu":
        raise Refused(f"OpenVINO runs on the CPU here, not with {choice.device}; set the engine to onnxruntime.")
    able = ("bf16", "f32", "int8") if choice.name == "openvino" else GPU_PRECISIONS.get(choice.device, ("f32",))
    if choice.precision not in ("auto", *able):
        raise Refused(
            f"{choice.name} runs on {_NAMES[choice.device]} in {' or '.join(able)} only; set the precision to auto."
        )
    if choice.name != "openvino" and choice.mode != "latency":
        raise Refused(f"{choice.name} knows no mode for {choice.mode}; set the mode to latency.")


def _kept(choice: EngineChoice, device: Device) -> Precision:
    """Return the precision on a device: what was chosen, where the device has it."""
    able = GPU_PRECISIONS.get(device, ("f32",))
    return choice.precision if device == choice.device or choice.precision in able else "auto"


def _open(graph: bytes, choice: EngineChoice, sizes: Sequence[int], cache: Path | None) -> dict[int, Session]:
    try:
        if choice.name == "openvino":
            from scintiflow.inference.openvino_session import open_openvino

            return open_openvino(graph, choice, sizes, cache)
        from scintiflow.inference.onnxruntime_session import open_onnxruntime

        return {rows: open_onnxruntime(graph, choice, rows, cache) for rows in sizes}
    except ModuleNotFoundError as error:
        extra = "cpu" if choice.device == "cpu" else "gpu"
        raise Refused(
            f"{choice.name} needs the package {error.name}: install scintiflow with the extra {extra}."
        ) from error


def _told(sessions: Mapping[int, Session], device: Device, asked: Device, missed: Sequence[str]) -> dict[int, Session]:
    """Return the sessions under a name that says what they stand in for; why is in the log."""
    instead = f"({_NAMES[device]} instead of {_NAMES[asked]})"
    structlog.get_logger().warning("engine in place of the one asked for", instead=instead, reason=" ".join(missed))
    return {
        rows: replace(session, facts=replace(session.facts, engine=f"{session.facts.engine} {instead}", stands_in=True))
        for rows, session in sessions.items()
    }
