"""A served folder for tests: a graph that makes the same grey body of everybody, and writes its inputs beside it."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from scintilab.studies.publication import marks
from tests.graphs import LATENT, SLOTS, generator_folder

_VIEW = (512, 256)
_PIXELS = 512 * 256


def serve(models: Path) -> Path:
    """Write a generator's folder, and in it a card with a place for every study; return it."""
    folder = generator_folder(models, graph=written_graph())
    places = ["\n".join(marks(study)) for study in ("quality", "privacy", "augmentation")]
    (folder / "CARD.md").write_text("\n\n".join(["# painter", *places, "End.\n"]))
    return folder


def written_graph() -> onnx.ModelProto:
    """The first pixels of the anterior view are the conditions, and those of the posterior view the noise, squared."""
    body = np.zeros((1, 2, *_VIEW), np.float32)
    body[:, :, 30:480, 70:186] = 2
    nodes = [
        helper.make_node("Mul", ["condition", "known"], ["told"]),
        helper.make_node("Mul", ["noise", "noise"], ["square"]),
        helper.make_node("Pad", ["told", "after conditions"], ["front"]),
        helper.make_node("Pad", ["square", "after noise"], ["back"]),
        helper.make_node("Concat", ["front", "back"], ["flat"], axis=1),
        helper.make_node("Reshape", ["flat", "shape"], ["written"]),
        helper.make_node("Add", ["written", "body"], ["rate"]),
        helper.make_node("Concat", ["noise", "square"], ["embedding"], axis=1),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        for name, width in (("noise", LATENT), ("condition", SLOTS), ("known", SLOTS))
    ]
    outputs = [
        helper.make_tensor_value_info("rate", TensorProto.FLOAT, ["N", 2, *_VIEW]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 2 * LATENT]),
    ]
    constants = [
        numpy_helper.from_array(np.array([0, 0, 0, _PIXELS - SLOTS]), "after conditions"),
        numpy_helper.from_array(np.array([0, 0, 0, _PIXELS - LATENT]), "after noise"),
        numpy_helper.from_array(np.array([-1, 2, *_VIEW]), "shape"),
        numpy_helper.from_array(body, "body"),
    ]
    graph = helper.make_graph(nodes, "painter", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
