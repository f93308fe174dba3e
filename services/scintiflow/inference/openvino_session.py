"""OpenVINO, on this machine's CPU."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import openvino
from openvino import CompiledModel, InferRequest

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineChoice
from scintiflow.inference.session import EngineFacts, Floats, Session, shape_of_row


def open_openvino(graph: bytes, choice: EngineChoice, sizes: Sequence[int], cache: Path | None) -> dict[int, Session]:
    """Load `graph` for batches of some sizes; for throughput once, each row then being a request of its own.

    Raises:
        Refused: the CPU has not the precision that was asked for, or nothing can be kept in the cache.
    """
    if choice.mode == "latency":
        compiled = {rows: _compiled(graph, choice, rows, cache) for rows in sizes}
        return {rows: _session(one, choice, [one.create_infer_request()], rows) for rows, one in compiled.items()}
    single = _compiled(graph, choice, 1, cache)
    requests = [single.create_infer_request() for _ in range(max(sizes))]
    return {rows: _session(single, choice, requests[:rows], 1) for rows in sizes}


def _compiled(graph: bytes, choice: EngineChoice, rows: int, cache: Path | None) -> CompiledModel:
    """Compile `graph` for exactly so many rows."""
    core = openvino.Core()
    # Beside convolutions in int8, head and map stay exact.
    wanted = "f32" if choice.precision == "int8" else choice.precision
    if wanted == "auto":
        wanted = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
    model = core.read_model(graph, b"")
    model.reshape({name: [rows, *row] for name, row in _rows_of(model.inputs).items()})
    # The precision is always said: with no hint OpenVINO takes bf16 on its own.
    said = {"INFERENCE_PRECISION_HINT": wanted, "PERFORMANCE_HINT": choice.mode.upper()}
    compiled = core.compile_model(model, "CPU", said | _kept(choice, cache))
    used = _precision(compiled)
    if used != wanted:
        raise Refused(f"This CPU runs {used}, not the {wanted} that was asked for; set the precision to auto.")
    if choice.precision == "int8":
        _require_int8(compiled)
    return compiled


def _kept(choice: EngineChoice, cache: Path | None) -> dict[str, str]:
    """Return where OpenVINO keeps what it compiles; its key knows weights and versions, and it uses nothing damaged.

    Raises:
        Refused: the folder cannot be made.
    """
    if cache is None or not choice.cached:
        return {}
    folder = cache / "openvino"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{folder} cannot be made ({error.strerror}); set cached to false.") from error
    return {"CACHE_DIR": str(folder)}


def _session(compiled: CompiledModel, choice: EngineChoice, requests: Sequence[InferRequest], share: int) -> Session:
    """Return what runs `share` rows in each of some requests, all at once."""
    outputs = tuple(port.any_name for port in compiled.outputs)

    def run(given: Mapping[str, Floats]) -> dict[str, Floats]:
        for place, request in enumerate(requests):
            request.start_async({name: rows[place * share : (place + 1) * share] for name, rows in given.items()})
        for request in requests:
            request.wait()
        return {name: np.concatenate([request.get_tensor(name).data for request in requests]) for name in outputs}

    version = openvino.__version__.partition("-")[0]
    precision = "int8" if choice.precision == "int8" else _precision(compiled)
    mode = compiled.get_property("PERFORMANCE_HINT").lower()
    return Session(
        _rows_of(compiled.inputs), outputs, run, EngineFacts(f"openvino {version}", precision, "CPU", mode=mode)
    )


def _rows_of(ports: Sequence[openvino.ConstOutput]) -> dict[str, tuple[int, ...]]:
    """Return the name of each input and the shape of one row."""
    shapes = {
        port.any_name: [None if length.is_dynamic else length.get_length() for length in port.partial_shape]
        for port in ports
    }
    return {name: shape_of_row(name, shape) for name, shape in shapes.items()}


def _precision(compiled: CompiledModel) -> str:
    found: str = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    return found


def _require_int8(compiled: CompiledModel) -> None:
    """Refuse a graph whose convolutions this CPU computes in something else."""
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    convolutions = [node for node in nodes if node["layerType"].astype(str) == "Convolution"]
    used = {node["runtimePrecision"].astype(str) for node in convolutions}
    if not used or used - {"u8", "i8"}:
        raise Refused(f"Convolutions run in {' and '.join(sorted(used))} here, not in int8; set the precision to auto.")
