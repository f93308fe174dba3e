"""A graph like the served one that has learnt nothing: what its maps point at is chance and brightness."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from scintiflow.inference.manifest import Manifest
from scintilab.evaluate.answers import other_weights

_PRODUCTS = ("Conv", "Gemm", "MatMul")
_SUMS = ("Add",)
"""What is added to every scan is a bias too, such as what was learnt of places; a single number may be a guard."""


def random_weights(manifest: Manifest, seed: int, folder: Path) -> Manifest:
    """Write the graph with weights drawn anew into `folder`, and return the manifest that names it.

    Weights of convolutions and of products are normal with variance 2 over the number of inputs (He et al. 2015),
    biases zero; nothing else changes. A layer's weights depend on seed and place alone.
    """
    graph = onnx.load_from_string(manifest.graph())
    for number, (name, bias) in enumerate(_weights(graph).items()):
        tensor = next(each for each in graph.graph.initializer if each.name == name)
        values = numpy_helper.to_array(tensor)
        drawn = np.random.Generator(np.random.Philox(key=(seed, number))).normal(size=values.shape)
        scaled = np.zeros_like(drawn) if bias else drawn * np.sqrt(2 / _inputs(values.shape))
        tensor.CopyFrom(numpy_helper.from_array(scaled.astype(values.dtype), name))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{manifest.digest[:12]}-random-{seed}.onnx"
    file.write_bytes(graph.SerializeToString(deterministic=True))
    return other_weights(manifest, file)


def _weights(graph: onnx.ModelProto) -> dict[str, bool]:
    """Return the names of learnt tensors in order of use, and whether each is a bias."""
    made_of = {node.output[0]: node.input[0] for node in graph.graph.node if node.op_type in ("Cast", "Transpose")}
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.graph.initializer}
    found: dict[str, bool] = {}
    for node in graph.graph.node:
        for place, name in enumerate(node.input if node.op_type in _PRODUCTS + _SUMS else ()):
            while name in made_of:
                name = made_of[name]
            if sizes.get(name, 0) > 1:
                found.setdefault(name, place == 2 or node.op_type in _SUMS)
    return found


def _inputs(shape: tuple[int, ...]) -> int:
    """Return how many numbers one output of a layer adds up: a product's longer side, as it is stored either way."""
    return int(np.prod(shape[1:])) if len(shape) > 2 else max(shape)
