"""Types the convolutions of a graph as float16, which is what the matrix units of a GPU are fast in.

Our graphs carry the weights of convolutions in float16, and widen each with a Cast where it is used. Here the casts
move to where convolutions begin and end: input, head, map and products of matrices stay in float32. TensorRT takes such
types literally, in version 10 and in those after it, which know no other way to ask for float16.
"""

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

_BETWEEN = frozenset({"Relu", "MaxPool", "Add"})
"""What stays in float16 when everything that it takes is."""


def in_half(graph: bytes) -> bytes:
    """Return `graph` with its convolutions, and what lies between them, in float16."""
    model = onnx.load_model_from_string(graph)
    del model.graph.value_info[:]  # it tells types that are no longer true
    nodes = _Typed(model.graph).nodes()
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    weights = [weight for weight in model.graph.initializer if weight.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


class _Typed:
    """The nodes of a graph, each given what it takes in the type that it takes."""

    def __init__(self, graph: GraphProto) -> None:
        self._graph = graph
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._casts: dict[str, str] = {}
        """Of each tensor that is known in both types, the name in the other."""
        self._half = {weight.name for weight in graph.initializer if weight.data_type == TensorProto.FLOAT16}
        self._widening: dict[str, NodeProto] = {}
        """Casts of weights that nobody has asked for wide yet."""
        self._nodes: list[NodeProto] = []

    def nodes(self) -> list[NodeProto]:
        """Return them in an order in which they can run."""
        for node in self._graph.node:
            if self._widens_a_weight(node):
                self._casts[node.output[0]] = node.input[0]
                self._widening[node.output[0]] = node
                continue
            half = node.op_type == "Conv" or (node.op_type in _BETWEEN and self._half.issuperset(node.input))
            node.input[:] = [self._as_half(name) if half else self._as_full(name) for name in node.input]
            if half:
                self._half.update(node.output)
            self._nodes.append(node)
        for output in self._graph.output:
            self._give_out_wide(output.name)
        return self._nodes

    def _widens_a_weight(self, node: NodeProto) -> bool:
        return node.op_type == "Cast" and node.input[0] in self._weights and node.input[0] in self._half

    def _give_out_wide(self, name: str) -> None:
        if name not in self._half:
            return
        for node in self._nodes:
            node.input[:] = [f"{name}.half" if each == name else each for each in node.input]
            node.output[:] = [f"{name}.half" if each == name else each for each in node.output]
        self._nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))

    def _as_half(self, name: str) -> str:
        if name in self._half:
            return name
        if name not in self._casts:
            self._casts[name] = f"{name}.half"
            self._half.add(f"{name}.half")
            if name in self._weights:
                values = numpy_helper.to_array(self._weights[name]).astype(np.float16)
                self._graph.initializer.append(numpy_helper.from_array(values, f"{name}.half"))
            else:
                self._nodes.append(helper.make_node("Cast", [name], [f"{name}.half"], to=TensorProto.FLOAT16))
        return self._casts[name]

    def _as_full(self, name: str) -> str:
        if name in self._widening:
            self._nodes.append(self._widening.pop(name))
        if name not in self._half:
            return name
        if name not in self._casts:
            self._casts[name] = f"{name}.full"
            self._nodes.append(helper.make_node("Cast", [name], [f"{name}.full"], to=TensorProto.FLOAT))
        return self._casts[name]
