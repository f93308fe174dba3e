"""What `benchmarks.engines` measures: engines, the one to compare with, and what none of them beats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.errors import Refused
from scintiflow.inference.engine import INPUTS, check_golden, open_engine
from scintiflow.inference.manifest import EngineChoice, Manifest
from scintiflow.inference.session import EngineFacts, Floats, open_sessions

Run = Callable[[], object]

CHOICES = (
    EngineChoice(name="openvino", precision="f32"),
    EngineChoice(name="openvino", precision="bf16"),
    EngineChoice(name="openvino", precision="int8"),
    EngineChoice(name="onnxruntime", precision="f32", device="cuda"),
    EngineChoice(name="onnxruntime", precision="f16", device="cuda"),
    EngineChoice(name="onnxruntime", precision="f16", device="tensorrt"),
)
ON_GPU = (1, 4, 16, 64, 256)
_SIDE, _PRODUCTS = 1024, 64  # small enough for the caches, and so many that what comes before and after is nothing


@dataclass(frozen=True)
class Contender:
    """A graph on an engine."""

    name: str
    precision: str
    rows: Sequence[int]
    """The batches that it is measured with."""
    flop: float
    """Multiplications and additions of a row."""
    open: Callable[[int], Run]
    """Rows in a batch -> what runs one."""


def engines(manifest: Manifest, flop: float, batches: Sequence[int], screen: Console) -> list[Contender]:
    """Return every engine of this machine that reproduces the golden outputs; say of the rest why not."""
    found = []
    for choice in CHOICES:
        try:
            found.append(_engine(manifest.run_by(choice), flop, batches))
        except Refused as refused:
            said = f"Left out: {choice.name}, {choice.precision}, {choice.device}. {refused}"
            screen.print(said, style="dim", markup=False)
    return found


def served(manifest: Manifest) -> str:
    """Return the name of the engine that our service runs the model with on this machine."""
    return _name(open_engine(manifest.run_by(ClassifierSettings().overrule(manifest.engine))).describe())


def baseline(manifest: Manifest, flop: float, batches: Sequence[int]) -> Contender:
    """Return ONNX Runtime in float32 on the CPU with all its defaults: what somebody gets who just runs the graph."""
    session = onnxruntime.InferenceSession(manifest.graph(), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]

    def opened(rows: int) -> Run:
        given = noise({name: INPUTS[name] for name in names}, rows)
        return lambda: session.run(None, given)

    return Contender(f"onnxruntime {onnxruntime.__version__} f32 as it comes, CPU", "f32", batches, flop, opened)


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


def noise(shapes: dict[str, tuple[int, ...]], rows: int) -> dict[str, Floats]:
    """Return a batch of noise; how long an engine takes does not depend on what is in the picture."""
    chance = np.random.default_rng(1)
    return {name: chance.random((rows, *shape), np.float32) for name, shape in shapes.items()}


def _engine(manifest: Manifest, flop: float, batches: Sequence[int]) -> Contender:
    """Return an engine that has passed the golden gate.

    Raises:
        Refused: it has not, or this machine has it not.
    """
    choice, engine = manifest.engine, open_engine(manifest)
    check_golden(engine, manifest)

    def opened(rows: int) -> Run:
        session = open_sessions(manifest.graph(), choice, lambda _: (rows,))[rows]
        given = noise(dict(session.inputs), rows)
        return lambda: session.run(given)

    facts = engine.describe()
    return Contender(_name(facts), facts.precision, batches if choice.device == "cpu" else ON_GPU, flop, opened)


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
