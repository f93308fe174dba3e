"""A served folder for tests: a graph that makes the same grey body of everybody, and writes its inputs beside it."""

import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

from scintilab.studies.publication import marks

NOISE, SLOTS = 4, 9
MANIFEST = """
[model]
name = "generator"
version = "1.0.0"
file = "model.onnx"
digest = "{digest}"
[[condition]]
name = "metastatic"
kind = "flag"
[[condition]]
name = "load"
kind = "number"
scale = "log1p"
low = 0.0
high = 20.0
[[condition]]
name = "perugini"
kind = "choice"
values = ["0", "1", "2", "3"]
[[condition]]
name = "tracer"
kind = "choice"
values = ["DPD"]
[[condition]]
name = "sex"
kind = "choice"
values = ["F", "M"]
"""
_VIEW = (512, 256)
_PIXELS = 512 * 256


def serve(folder: Path) -> None:
    """Write graph, manifest, and a card with a place for every study.

    The first pixels of the anterior view are the conditions, and those of the posterior view the noise, squared.
    """
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
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        for name, width in (("noise", NOISE), ("condition", SLOTS), ("known", SLOTS))
    ]
    outputs = [helper.make_tensor_value_info("rate", TensorProto.FLOAT, ["N", 2, *_VIEW])]
    constants = [
        numpy_helper.from_array(np.array([0, 0, 0, _PIXELS - SLOTS]), "after conditions"),
        numpy_helper.from_array(np.array([0, 0, 0, _PIXELS - NOISE]), "after noise"),
        numpy_helper.from_array(np.array([-1, 2, *_VIEW]), "shape"),
        numpy_helper.from_array(body, "body"),
    ]
    graph = helper.make_graph(nodes, "painter", inputs, outputs, constants)
    save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "model.onnx"
    )
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    (folder / "manifest.toml").write_text(MANIFEST.format(digest=digest))
    places = ["\n".join(marks(study)) for study in ("quality", "privacy", "augmentation")]
    (folder / "CARD.md").write_text("\n\n".join(["# painter", *places, "End.\n"]))
