"""ONNX Runtime: on this machine's CPU, or on a GPU with CUDA or TensorRT, and nowhere else than was asked for."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from scintiflow.errors import Refused
from scintiflow.inference import gpu
from scintiflow.inference.manifest import Device, EngineChoice, Precision
from scintiflow.inference.session import EngineFacts, Floats, Session, shape_of_row

PROVIDERS: Mapping[Device, str] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""From the fastest to the one that every machine has."""
_NAMES = {"tensorrt": "TensorRT", "cuda": "CUDA", "cpu": "the CPU"}
_QUIET = 3
"""Errors; what it warns of is asked for below."""

Options = dict[str, str]


def open_onnxruntime(graph: bytes, choice: EngineChoice, rows: int, cache: Path | None) -> Session:
    """Load `graph` for batches of `rows` where `choice` says, or, if it allows that, on the next device down.

    Raises:
        Refused: what was asked for cannot be had; the sentence says what is missing.
    """
    devices = list(PROVIDERS)[list(PROVIDERS).index(choice.device) :] if choice.fallback else [choice.device]
    missed: list[str] = []
    for device in devices:
        # What was said of the precision was said of the first device.
        precision = choice.precision if device == choice.device else "auto"
        try:
            return _open(graph, device, precision, rows, cache, instead_of=choice.device if missed else None)
        except Refused as refused:
            missed.append(str(refused))
    raise Refused(" ".join(missed))


def _open(
    graph: bytes, device: Device, precision: Precision, rows: int, cache: Path | None, *, instead_of: Device | None
) -> Session:
    used = settled_precision(device, precision)
    if device != "cpu" and (reason := gpu.missing(device)):
        raise Refused(reason)
    if used == "f16":
        from scintiflow.inference.half import in_half  # needs onnx, which comes with the GPU's packages

        graph = in_half(graph)
    session = _session(graph, device, _options(graph, device, rows, cache))
    nodes = _nodes(session)
    if PROVIDERS[device] not in session.get_providers() or not nodes.get(PROVIDERS[device]):
        raise Refused(f"ONNX Runtime ran the graph on {', '.join(nodes)} instead of {PROVIDERS[device]}, unasked.")
    inputs = {port.name: shape_of_row(port.name, port.shape) for port in session.get_inputs()}
    outputs = {port.name: shape_of_row(port.name, port.shape) for port in session.get_outputs()}
    run = partial(_run, session, tuple(outputs)) if device == "cpu" else _bound(session, inputs, outputs, rows)
    engine = f"onnxruntime {onnxruntime.__version__}"
    if instead_of:
        engine += f" ({_NAMES[device]} instead of {_NAMES[instead_of]})"
    return Session(inputs, tuple(outputs), run, EngineFacts(engine, used, gpu.named(device), nodes))


def settled_precision(device: Device, precision: Precision) -> Precision:
    """Return the precision for a device; raises Refused for one that it would ignore."""
    able: tuple[Precision, ...] = ("f32",) if device == "cpu" else ("f16", "f32")
    if precision not in ("auto", *able):
        raise Refused(
            f"ONNX Runtime runs this graph on {_NAMES[device]} in {' or '.join(able)} only; set the precision to auto."
        )
    return able[0] if precision == "auto" else precision


def _options(graph: bytes, device: Device, rows: int, cache: Path | None) -> Options:
    """Return what the provider of a device is told."""
    if device == "cpu":
        return {}
    if device == "cuda":
        return {"device_id": "0", "enable_cuda_graph": "1", "use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}
    return {"device_id": "0", "trt_cuda_graph_enable": "1", **gpu.kept(graph, rows, cache)}


def _session(graph: bytes, device: Device, options: Options) -> onnxruntime.InferenceSession:
    config = onnxruntime.SessionOptions()
    config.log_severity_level = _QUIET
    # Its threads would spin between requests and take the cores from the other processes of this machine.
    config.add_session_config_entry("session.intra_op.allow_spinning", "0")
    config.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        return onnxruntime.InferenceSession(graph, config, providers=[(PROVIDERS[device], options)], enable_fallback=0)
    except Exception as error:  # ONNX Runtime has an error for each of its own faults, and RuntimeError for the GPU's
        raise Refused(gpu.explained(device, str(error))) from error


def _nodes(session: onnxruntime.InferenceSession) -> dict[str, int]:
    """Count the nodes that run at each provider."""
    counted: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counted[part.ep_name] = counted.get(part.ep_name, 0) + len(part.get_nodes())
    return counted


def _run(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], given: Mapping[str, Floats]
) -> dict[str, Floats]:
    return dict(zip(outputs, session.run(list(outputs), dict(given)), strict=True))


def _bound(
    session: onnxruntime.InferenceSession,
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Mapping[str, tuple[int, ...]],
    rows: int,
) -> Callable[[Mapping[str, Floats]], dict[str, Floats]]:
    """Keep inputs and outputs at one place on the GPU, as the replay of a recorded graph of kernels needs."""
    binding = session.io_binding()
    takes, gives = ({name: _placed((rows, *row)) for name, row in ports.items()} for ports in (inputs, outputs))
    for name, value in takes.items():
        binding.bind_ortvalue_input(name, value)
    for name, value in gives.items():
        binding.bind_ortvalue_output(name, value)

    def run(given: Mapping[str, Floats]) -> dict[str, Floats]:
        for name, value in takes.items():
            value.update_inplace(np.ascontiguousarray(given[name]))
        session.run_with_iobinding(binding)
        return {name: value.numpy() for name, value in gives.items()}

    for _ in range(2):  # the first run chooses and builds, the second is recorded
        run({name: np.zeros((rows, *row), np.float32) for name, row in inputs.items()})
    return run


def _placed(shape: tuple[int, ...]) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), np.float32, "cuda", 0)
