"""Opens a graph on this machine's CPU: which engine, in which precision, for how many rows at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineName, Precision

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class EngineFacts:
    """What really runs: engine with its version, precision as the engine reports it, device."""

    engine: str
    precision: str
    device: str


@dataclass(frozen=True)
class Session:
    """A loaded graph; not thread-safe."""

    inputs: Mapping[str, tuple[int, ...]]
    """Name of each input and the shape of one row."""
    outputs: tuple[str, ...]
    run: Callable[[Mapping[str, Floats]], dict[str, Floats]]
    """Input arrays by name, each with the rows that the session was opened for -> output arrays by name."""
    facts: EngineFacts


def open_session(graph: bytes, name: EngineName, precision: Precision, *, rows: int) -> Session:
    """Load `graph`, whose only open dimension is the number of rows, for batches of `rows`.

    Raises:
        Refused: the machine cannot do what was asked for; nothing else is used instead.
    """
    return _OPENERS[name](graph, precision, rows)


def _row(name: str, shape: Sequence[int | str | None]) -> tuple[int, ...]:
    """Return the shape of one row of an input, whose graph gives `shape`."""
    row = tuple(length for length in shape[1:] if isinstance(length, int))
    if len(row) != len(shape) - 1:
        raise Refused(f"The graph leaves more open of {name} than the number of rows; export it again.")
    return row


def _open_openvino(graph: bytes, precision: Precision, rows: int) -> Session:
    import openvino

    core = openvino.Core()
    able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    wanted = precision if precision != "auto" else "bf16" if able else "f32"
    model = core.read_model(graph, b"")
    inputs = {
        port.any_name: _row(
            port.any_name, [None if length.is_dynamic else length.get_length() for length in port.partial_shape]
        )
        for port in model.inputs
    }
    outputs = tuple(port.any_name for port in model.outputs)
    model.reshape({name: [rows, *row] for name, row in inputs.items()})
    # The precision is always said: with no hint OpenVINO takes bf16 on its own.
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": wanted, "PERFORMANCE_HINT": "LATENCY"})
    used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if used != wanted:
        raise Refused(f"This CPU runs {used}, not the {wanted} that was asked for; set the precision to auto.")
    request = compiled.create_infer_request()

    def run(given: Mapping[str, Floats]) -> dict[str, Floats]:
        found = request.infer(dict(given))
        return {name: found[name].copy() for name in outputs}

    version = openvino.__version__.partition("-")[0]
    return Session(inputs, outputs, run, EngineFacts(f"openvino {version}", used, "CPU"))


def _open_onnxruntime(graph: bytes, precision: Precision, rows: int) -> Session:
    import onnxruntime

    if precision == "bf16":
        raise Refused("ONNX Runtime runs this graph in f32 only; set the precision to auto or f32.")
    providers = ["CPUExecutionProvider"]
    options = onnxruntime.SessionOptions()
    # Its threads would spin between requests and take the cores from the other processes of this machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    if session.get_providers() != providers:
        raise Refused(f"ONNX Runtime took {session.get_providers()} instead of {providers}; reinstall onnxruntime.")
    inputs = {port.name: _row(port.name, port.shape) for port in session.get_inputs()}
    outputs = tuple(port.name for port in session.get_outputs())

    def run(given: Mapping[str, Floats]) -> dict[str, Floats]:
        return dict(zip(outputs, session.run(list(outputs), dict(given)), strict=True))

    return Session(inputs, outputs, run, EngineFacts(f"onnxruntime {onnxruntime.__version__}", "f32", "CPU"))


_OPENERS: dict[EngineName, Callable[[bytes, Precision, int], Session]] = {
    "openvino": _open_openvino,
    "onnxruntime": _open_onnxruntime,
}
