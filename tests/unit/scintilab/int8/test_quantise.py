"""Convolutions in eight bits, and nothing else."""

import numpy as np
import onnx
import pytest

from scintilab.graph import halve
from scintilab.int8.quantise import quantised
from tests.graphs import answer, beside_graph, bright_graph, scans


@pytest.mark.parametrize("graph", [bright_graph(), beside_graph()], ids=["bright", "beside"])
def test_only_what_convolutions_take_is_quantised(graph: onnx.ModelProto) -> None:
    """Weights and inputs of convolutions pass through eight bits; what they give, head and map do not."""
    halve(graph.graph)
    nodes = onnx.load_model_from_string(quantised(graph.SerializeToString(), given())).graph.node
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    narrow = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    assert convolutions
    assert narrow == {name for node in convolutions for name in node.input}


def test_answers_stay_near() -> None:
    """A graph in int8 answers nearly what the graph itself does."""
    graph, (canvas, present) = bright_graph().SerializeToString(), scans(3, seed=5)
    found, expected = (answer(each, canvas, present) for each in (quantised(graph, given()), graph))
    np.testing.assert_allclose(found["probability"], expected["probability"], atol=0.01)
    np.testing.assert_allclose(found["map"], expected["map"], atol=0.02 * expected["map"].max())


def test_the_same_scans_give_the_same_bytes() -> None:
    """Quantised again from the same scans, a graph is the same, byte for byte."""
    graph = bright_graph().SerializeToString()
    assert quantised(graph, given()) == quantised(graph, given())


def given() -> list[dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    """Three scans as a graph takes them."""
    canvas, present = scans(3)
    return [{"canvas": canvas[row : row + 1], "present": present[row : row + 1]} for row in range(3)]
