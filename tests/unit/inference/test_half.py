"""Graphs whose convolutions are typed float16."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from scintiflow.inference.engine import Engine, check_golden
from scintiflow.inference.half import in_half
from scintiflow.inference.manifest import folders, load
from scintiflow.inference.session import EngineFacts, Floats, Session
from tests.graphs import answer, bright_graph, scans

SHIPPED = pytest.mark.parametrize("folder", folders(Path(__file__).parents[3] / "models"), ids=lambda path: path.name)


def types(graph: bytes) -> dict[str, int]:
    """The type of each tensor."""
    told = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(graph)).graph
    values = (*told.value_info, *told.input, *told.output)
    return {value.name: value.type.tensor_type.elem_type for value in values} | {
        weight.name: weight.data_type for weight in told.initializer
    }


@SHIPPED
def test_convolutions_are_float16_and_what_leaves_is_not(folder: Path) -> None:
    """Every convolution takes and gives float16; inputs, outputs and the head are float32; the file stays as small."""
    graph = load(folder).graph()
    halved = in_half(graph)
    told, model = types(halved), onnx.load_model_from_string(halved)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert convolutions
    for node in convolutions:
        assert {told[name] for name in (*node.input, *node.output)} == {TensorProto.FLOAT16}
    for value in (*model.graph.input, *model.graph.output):
        assert told[value.name] == TensorProto.FLOAT
    assert all(told[name] == TensorProto.FLOAT for name in told if name.startswith("head."))
    assert len(halved) < 1.01 * len(graph)


@SHIPPED
def test_casts_stand_only_where_convolutions_begin_and_end(folder: Path) -> None:
    """Between one convolution and the next nothing is widened, so that a GPU moves half of the bytes."""
    model = onnx.load_model_from_string(in_half(load(folder).graph()))
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(casts) < len(convolutions) / 2


@SHIPPED
def test_it_passes_the_models_golden_gate(folder: Path) -> None:
    """Probabilities and maps of the shipped models in float16 are within the tolerance of their golden outputs."""
    manifest = load(folder)
    session = onnxruntime.InferenceSession(in_half(manifest.graph()), providers=["CPUExecutionProvider"])
    names = tuple(port.name for port in session.get_outputs())
    inputs = {port.name: tuple(port.shape[1:]) for port in session.get_inputs()}

    def run(given: dict[str, Floats]) -> dict[str, Floats]:
        return dict(zip(names, session.run(list(names), given), strict=True))

    check_golden(Engine({1: Session(inputs, names, run, EngineFacts("here", "f16", "CPU"))}), manifest)


def test_wide_weights_are_narrowed_and_outputs_widened() -> None:
    """A graph with float32 weights, whose convolution is an output as well, takes and gives float32 as before."""
    halved = in_half(bright_graph().SerializeToString())
    told, before = types(halved), types(bright_graph().SerializeToString())
    assert told["kernel.half"] == TensorProto.FLOAT16
    assert {name: told[name] for name in ("canvas", "map", "probability")} == {
        name: before[name] for name in ("canvas", "map", "probability")
    }
    session = onnxruntime.InferenceSession(halved, providers=["CPUExecutionProvider"])
    canvas, present = scans(2)
    given = {"canvas": canvas, "present": present}
    expected = answer(bright_graph().SerializeToString(), canvas, present)
    for name, values in zip(("probability", "map"), session.run(["probability", "map"], given), strict=True):
        np.testing.assert_allclose(values, expected[name], rtol=0.01)


def test_weights_of_other_nodes_stay_wide() -> None:
    """A product of matrices whose weights are kept in float16 is taken in float32, as it was."""
    weights = np.random.default_rng(1).standard_normal((2, 3)).astype(np.float16)
    nodes = [
        helper.make_node("Cast", ["weights.half"], ["weights"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["given", "weights"], ["found"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", n]) for name, n in (("given", 2), ("found", 3))
    ]
    graph = helper.make_graph(
        nodes, "product", ports[:1], ports[1:], [numpy_helper.from_array(weights, "weights.half")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(in_half(model.SerializeToString()), providers=["CPUExecutionProvider"])
    given = np.random.default_rng(2).random((4, 2), np.float32)
    (found,) = session.run(["found"], {"given": given})
    np.testing.assert_allclose(found, given @ weights.astype(np.float32), rtol=1e-5)
