"""OpenVINO, on this machine's CPU."""

from collections.abc import Mapping

import openvino
from openvino import CompiledModel

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineChoice
from scintiflow.inference.session import EngineFacts, Floats, Session, shape_of_row


def open_openvino(graph: bytes, choice: EngineChoice, rows: int) -> Session:
    """Load `graph` for batches of `rows`.

    Raises:
        Refused: the CPU has not the precision that was asked for.
    """
    core = openvino.Core()
    # Beside convolutions in int8, head and map stay exact.
    wanted = "f32" if choice.precision == "int8" else choice.precision
    if wanted == "auto":
        wanted = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
    model = core.read_model(graph, b"")
    inputs = {
        port.any_name: shape_of_row(
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
    if choice.precision == "int8":
        _require_int8(compiled)
    request = compiled.create_infer_request()

    def run(given: Mapping[str, Floats]) -> dict[str, Floats]:
        found = request.infer(dict(given))
        return {name: found[name].copy() for name in outputs}

    version = openvino.__version__.partition("-")[0]
    precision = "int8" if choice.precision == "int8" else used
    return Session(inputs, outputs, run, EngineFacts(f"openvino {version}", precision, "CPU"))


def _require_int8(compiled: CompiledModel) -> None:
    """Refuse a graph whose convolutions this CPU computes in something else."""
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    convolutions = [node for node in nodes if node["layerType"].astype(str) == "Convolution"]
    used = {node["runtimePrecision"].astype(str) for node in convolutions}
    if not used or used - {"u8", "i8"}:
        raise Refused(f"Convolutions run in {' and '.join(sorted(used))} here, not in int8; set the precision to auto.")
