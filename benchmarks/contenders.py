"""What `benchmarks.engines` measures: engines, the one to compare with, and what none of them beats."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from benchmarks.contender import Contender, Run, noise
from benchmarks.subject import Subject
from benchmarks.torch_contenders import compiled, gpu_peak
from scintiflow.errors import Refused
from scintiflow.inference import gpu
from scintiflow.inference.manifest import EngineChoice
from scintiflow.inference.session import EngineFacts, open_sessions, shape_of_row

CHOICES = (
    EngineChoice(name="openvino", precision="f32"),
    EngineChoice(name="openvino", precision="bf16"),
    EngineChoice(name="openvino", precision="int8"),
    EngineChoice(name="onnxruntime", precision="f32", device="cuda"),
    EngineChoice(name="onnxruntime", precision="f16", device="cuda"),
    EngineChoice(name="onnxruntime", precision="f16", device="tensorrt"),
)
_SIDE, _PRODUCTS = 1024, 64  # small enough for the caches, and so many that what comes before and after is nothing


@dataclass(frozen=True)
class Batches:
    """Rows that are run at once, by where that is."""

    cpu: Sequence[int]
    gpu: Sequence[int]


def engines(subject: Subject, flop: float, batches: Batches, screen: Console) -> list[Contender]:
    """Return every engine of this machine that reproduces the golden outputs; say of the rest why not."""
    ways: dict[str, Callable[[], Contender]] = {
        f"{choice.name}, {choice.precision}, {choice.device}": partial(_engine, subject, choice, flop, batches)
        for choice in CHOICES
    }
    ways["onnxruntime as it comes, f32, cuda"] = partial(plain_cuda, subject, flop, batches.gpu)
    ways["torch.compile, f16, cuda"] = partial(compiled, subject, flop, batches.gpu)
    found = []
    for name, way in ways.items():
        try:
            found.append(way())
        except Refused as refused:
            screen.print(f"Left out: {name}. {refused}", style="dim", markup=False)
    return found


def served(subject: Subject) -> str:
    """Return the name of the engine that our service runs the model with on this machine."""
    return _name(subject.proven(subject.choice))


def baseline(subject: Subject, flop: float, batches: Sequence[int]) -> Contender:
    """Return ONNX Runtime in float32 on the CPU with all its defaults: what somebody gets who just runs the graph."""
    session = onnxruntime.InferenceSession(subject.manifest.graph(), providers=["CPUExecutionProvider"])
    name = f"onnxruntime {onnxruntime.__version__} f32 as it comes, CPU"
    return Contender(name, "f32", batches, flop, partial(_plain, session))


def plain_cuda(subject: Subject, flop: float, batches: Sequence[int]) -> Contender:
    """Return ONNX Runtime in float32 on a GPU with all its defaults, which record no graph of kernels.

    Raises:
        Refused: this machine has no GPU for it.
    """
    if reason := gpu.missing("cuda"):
        raise Refused(reason)
    provider = "CUDAExecutionProvider"
    session = onnxruntime.InferenceSession(subject.manifest.graph(), providers=[provider])
    if provider not in session.get_providers():  # it falls back unasked
        raise Refused("ONNX Runtime does not get the GPU.")
    name = f"onnxruntime {onnxruntime.__version__} f32 as it comes, {gpu.first_gpu().name}"
    return Contender(name, "f32", batches, flop, partial(_plain, session), on_gpu=True)


def peak() -> Contender:
    """Return products of matrices in bf16, one after another; a row of the first counts as a row of a batch.

    Raises:
        Refused: this CPU has no bf16.
    """
    choice, graph = EngineChoice(name="openvino", precision="bf16"), _products()

    def opened(rows: int) -> Run:
        session = open_sessions(graph, choice, lambda _: (rows,))[rows]
        given = noise(session.inputs, rows)
        return lambda: session.run(given)

    opened(1)
    return Contender("products of matrices, bf16, CPU", "bf16", (_SIDE,), 2.0 * _PRODUCTS * _SIDE**2, opened)


def peaks() -> list[Contender]:
    """Return what reaches the peak of this machine's CPU in bf16 and of its GPU in f16, where it has them."""
    found = []
    for way in (peak, gpu_peak):
        with suppress(Refused):
            found.append(way())
    return found


def _plain(session: onnxruntime.InferenceSession, rows: int) -> Run:
    given = noise({port.name: shape_of_row(port.name, port.shape) for port in session.get_inputs()}, rows)
    return lambda: session.run(None, given)


def _engine(subject: Subject, choice: EngineChoice, flop: float, batches: Batches) -> Contender:
    """Return an engine that has passed the golden gate.

    Raises:
        Refused: it has not, or this machine has it not.
    """
    facts, on_gpu = subject.proven(choice), choice.device != "cpu"

    def opened(rows: int) -> Run:
        session = open_sessions(subject.graph(choice), choice, lambda _: (rows,))[rows]
        given = noise(session.inputs, rows)
        return lambda: session.run(given)

    return Contender(_name(facts), facts.precision, batches.gpu if on_gpu else batches.cpu, flop, opened, on_gpu)


def _name(facts: EngineFacts) -> str:
    return f"{facts.engine} {facts.precision}, {facts.device}"


def _products() -> bytes:
    """Return the graph that multiplies its rows by a square matrix again and again; the values stay about as large."""
    square = np.random.default_rng(2).random((_SIDE, _SIDE), np.float32) * np.float32(2 / _SIDE)
    names = [f"product{number}" for number in range(_PRODUCTS + 1)]
    nodes = [helper.make_node("MatMul", [given, "square"], [found]) for given, found in pairwise(names)]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", _SIDE]) for name in (names[0], names[-1])]
    graph = helper.make_graph(nodes, "products", ports[:1], ports[1:], [numpy_helper.from_array(square, "square")])
    content: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    return content
