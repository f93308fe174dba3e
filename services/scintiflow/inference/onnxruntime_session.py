"""ONNX Runtime: on this machine's CPU, or on a GPU with CUDA or TensorRT, and nowhere else than was asked for."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from scintiflow.errors import Refused
from scintiflow.inference import gpu
from scintiflow.inference.engine_folder import opened_from
from scintiflow.inference.manifest import GPU_PRECISIONS, Device, EngineChoice
from scintiflow.inference.session import EngineFacts, Floats, Session, shape_of_row

PROVIDERS: Mapping[Device, str] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_ERRORS = 3
"""What is logged; what ONNX Runtime only warns of is asked for here."""
_WORK = ("Conv", "Gemm", "MatMul")
"""What takes nearly all of the time, by what kinds of nodes are called. A provider leaves to the CPU what only counts
shapes; if it left this, it would be in use by name alone."""
_CUDA: Mapping[str, Mapping[str, str]] = {
    # Where TF32 is not allowed, ONNX Runtime looks for a convolution that adds its own bias only among those without
    # tensor cores, in float16 too. What the graph leaves in float32 is multiplied with as many digits as float16 has.
    "f16": {"prefer_nhwc": "1", "fuse_conv_bias": "1", "use_tf32": "1"},
    "f32": {"use_tf32": "0"},
}
"""What the provider of CUDA is told in each precision."""
_BUILD_SECONDS = 1800.0
"""How long an engine may take that another process builds; minutes are usual, so this one hangs."""

onnxruntime.set_default_logger_severity(_ERRORS)  # what is said outside a session, whose own level does not reach it

Run = Callable[[Mapping[str, Floats]], dict[str, Floats]]


def open_onnxruntime(graph: bytes, choice: EngineChoice, rows: int, cache: Path | None) -> Session:
    """Load `graph` for batches of `rows`.

    Raises:
        Refused: the device cannot be had, or does not run the graph; the sentence says what is missing.
        Unavailable: another process builds this engine, and is not done for long.
    """
    if choice.device == "cpu":
        return _open_on_cpu(graph)
    if reason := gpu.missing(choice.device):
        raise Refused(reason)
    precision = GPU_PRECISIONS[choice.device][0] if choice.precision == "auto" else choice.precision
    if precision == "f16":
        from scintiflow.inference.half import in_half  # needs onnx, which comes with the extra gpu

        graph = in_half(graph)
    if cache is None or choice.device == "cuda":
        return gpu.alone(lambda: _open_on_gpu(graph, choice.device, precision, rows, None))
    folder = gpu.folder_for(graph, rows, cache)
    return opened_from(
        folder,
        lambda: gpu.alone(lambda: _open_on_gpu(graph, choice.device, precision, rows, folder)),
        patience=_BUILD_SECONDS,
    )


def _open_on_cpu(graph: bytes) -> Session:
    session = _session(graph, "cpu", {}, onnxruntime.SessionOptions())
    inputs = {port.name: shape_of_row(port.name, port.shape) for port in session.get_inputs()}
    outputs = tuple(port.name for port in session.get_outputs())

    def run(given: Mapping[str, Floats]) -> dict[str, Floats]:
        return dict(zip(outputs, session.run(list(outputs), dict(given)), strict=True))

    return Session(inputs, outputs, run, _facts(session, "f32", "CPU"))


def _open_on_gpu(graph: bytes, device: Device, precision: str, rows: int, folder: Path | None) -> Session:
    config = onnxruntime.SessionOptions()
    # The same scan gives the same bits from one start to the next, as far as the provider can promise it.
    config.use_deterministic_compute = True
    config.add_free_dimension_override_by_name(gpu.open_dimension(graph), rows)
    try:
        session = _session(graph, device, options_for(device, precision, folder), config)
        takes = {port.name: tuple(port.shape) for port in session.get_inputs()}
        gives = {port.name: tuple(port.shape) for port in session.get_outputs()}
        run = _bound(session, takes, gives)
        run({name: np.zeros(shape, np.float32) for name, shape in takes.items()})  # builds, and records what it does
    except Refused:
        raise
    except Exception as error:  # ONNX Runtime has an error for each of its own faults, and RuntimeError for a GPU's
        raise Refused(gpu.explained(device, str(error))) from error
    inputs = {name: shape_of_row(name, shape) for name, shape in takes.items()}
    facts = _facts(session, precision, gpu.first_gpu().name)
    return Session(inputs, tuple(gives), lambda given: gpu.alone(lambda: run(given)), facts)


def options_for(device: Device, precision: str, folder: Path | None) -> dict[str, str]:
    """Return what the provider of a GPU is told; `folder` is where TensorRT keeps what it builds, if anywhere."""
    if device == "cuda":
        return {"device_id": "0", "enable_cuda_graph": "1", "cudnn_conv_algo_search": "HEURISTIC", **_CUDA[precision]}
    kept = {} if folder is None else gpu.kept_in(folder)
    return {"device_id": "0", "trt_cuda_graph_enable": "1", **kept}


def _session(
    graph: bytes, device: Device, options: dict[str, str], config: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    """Open a session whose provider is the one asked for and does the graph's work."""
    config.log_severity_level = _ERRORS
    # Its threads would spin between requests and take the cores from the other processes of this machine.
    config.add_session_config_entry("session.intra_op.allow_spinning", "0")
    config.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    provider = PROVIDERS[device]
    session = onnxruntime.InferenceSession(graph, config, providers=[(provider, options)], enable_fallback=0)
    nodes = _nodes(session)
    if provider not in session.get_providers() or provider not in nodes:
        raise Refused(f"ONNX Runtime ran the graph on {', '.join(nodes)} instead of {provider}, unasked.")
    if strays := work_elsewhere(session.get_provider_graph_assignment_info(), provider):
        raise Refused(f"ONNX Runtime ran {', '.join(strays)} elsewhere than on {provider}, unasked.")
    return session


def work_elsewhere(parts: Iterable[Any], provider: str) -> list[str]:
    """Return the kinds of nodes that cost time, among parts of a graph that are assigned to other providers."""
    kinds = {node.op_type for part in parts if part.ep_name != provider for node in part.get_nodes()}
    return sorted(kind for kind in kinds if any(work in kind for work in _WORK))


def _nodes(session: onnxruntime.InferenceSession) -> dict[str, int]:
    """Count the nodes that run at each provider."""
    counted: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counted[part.ep_name] = counted.get(part.ep_name, 0) + len(part.get_nodes())
    return counted


def _facts(session: onnxruntime.InferenceSession, precision: str, device: str) -> EngineFacts:
    return EngineFacts(f"onnxruntime {onnxruntime.__version__}", precision, device, _nodes(session))


def _bound(
    session: onnxruntime.InferenceSession,
    takes: Mapping[str, tuple[int, ...]],
    gives: Mapping[str, tuple[int, ...]],
) -> Run:
    """Keep inputs and outputs at one place on the GPU, as the replay of a recorded graph of kernels needs."""
    binding = session.io_binding()
    given, found = ({name: _placed(shape) for name, shape in shapes.items()} for shapes in (takes, gives))
    for name, value in given.items():
        binding.bind_ortvalue_input(name, value)
    for name, value in found.items():
        binding.bind_ortvalue_output(name, value)

    def run(arrays: Mapping[str, Floats]) -> dict[str, Floats]:
        for name, value in given.items():
            value.update_inplace(np.ascontiguousarray(arrays[name]))
        session.run_with_iobinding(binding)
        return {name: value.numpy() for name, value in found.items()}

    return run


def _placed(shape: tuple[int, ...]) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), np.float32, "cuda", 0)
