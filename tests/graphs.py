"""Small ONNX graphs that keep the classifier contract, and model folders around them.

The line and its drills are tested with them: a real engine behind a real golden gate, without the seconds that a
network which can tell anything takes.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Asks:
    """What a model asks, and the views that it asks it of."""

    label: str
    requires: tuple[str, ...]
    codes: str


METASTASES = Asks(
    "bone metastases",
    ("anterior", "posterior"),
    """
[question]
value = "94222008"
scheme = "SCT"
meaning = "Bony metastasis"
""",
)
CARDIAC = Asks(
    "cardiac uptake",
    ("anterior",),
    """
[question]
value = "PERUGINI-GE2"
scheme = "99SCINTIFLOW"
meaning = "Perugini grade 2 or 3"

[site]
value = "80891009"
scheme = "SCT"
meaning = "Heart"
""",
)

MANIFEST = """
[model]
name = "{name}"
version = "0.1.0"
kind = "classifier"
file = "model.onnx"
digest = "{digest}"
golden = "golden.npz"
label = "{asks.label}"
requires = {requires}
threshold = 0.5
evidence = "simulated patients"
{asks.codes}
[tolerance]
probability = 0.02
map = 0.05

[engine]
name = "{engine}"
precision = "auto"
"""


def bright_graph(*, bias: float = -1.0, output: str = "probability") -> onnx.ModelProto:
    """A graph that calls bright scans positive: its map averages the views, its logit averages the map."""
    weights = {
        "kernel": np.full((1, 2, 16, 16), 1 / 512, np.float32),
        "views": np.full((2, 1), bias / 2, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["canvas", "kernel"], ["map"], strides=[16, 16]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["level"]),
        helper.make_node("MatMul", ["present", "views"], ["bias"]),
        helper.make_node("Add", ["level", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], [output]),
    ]
    return _model(nodes, weights, output)


def undefined_graph() -> onnx.ModelProto:
    """A graph whose probability is 0 divided by 0 on a dark scan, and 1 on any other."""
    weights = {"kernel": np.full((1, 2, 16, 16), 1 / 512, np.float32)}
    nodes = [
        helper.make_node("Conv", ["canvas", "kernel"], ["map"], strides=[16, 16]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logit"]),
        helper.make_node("Div", ["logit", "logit"], ["probability"]),
    ]
    return _model(nodes, weights, "probability")


def scans(count: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Canvases of rising brightness and what is present in each: [count, 2, 512, 256] and [count, 2]."""
    random = np.random.default_rng(seed)
    level = np.arange(1, count + 1, dtype=np.float32)[:, None, None, None]
    canvas = random.random((count, 2, 512, 256), np.float32) * level
    return canvas, np.ones((count, 2), np.float32)


def answer(graph: bytes, canvas: Floats, present: Floats) -> dict[str, Floats]:
    """What ONNX Runtime computes in f32."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = ["probability", "logit", "map"]
    return dict(zip(names, session.run(names, {"canvas": canvas, "present": present}), strict=True))


def model_folder(
    models: Path,
    name: str = "bright",
    *,
    graph: onnx.ModelProto | None = None,
    engine: str = "openvino",
    asks: Asks = METASTASES,
) -> Path:
    """Write a complete model folder (manifest, graph, golden outputs of three scans) and return it."""
    folder = models / name
    folder.mkdir(parents=True, exist_ok=True)
    proto = (graph or bright_graph()).SerializeToString()
    (folder / "model.onnx").write_bytes(proto)
    digest = hashlib.sha256(proto).hexdigest()
    manifest = MANIFEST.format(name=name, digest=digest, engine=engine, asks=asks, requires=json.dumps(asks.requires))
    (folder / "manifest.toml").write_text(manifest)
    canvas, present = scans(3)
    np.savez(folder / "golden.npz", canvas=canvas, present=present, **answer(proto, canvas, present))
    return folder


def skeleton(models: Path) -> Path:
    """Write one model, which asks for metastases and needs both views; return `models`."""
    model_folder(models, "skeleton")
    return models


def skeleton_and_heart(models: Path) -> Path:
    """Write two models, of which the one for the heart needs the anterior view alone; return `models`."""
    model_folder(models, "heart", graph=bright_graph(bias=-2.0), asks=CARDIAC)
    return skeleton(models)


def spoil_golden(folder: Path, array: str) -> None:
    """Make one golden array claim something that the graph does not compute."""
    with np.load(folder / "golden.npz") as arrays:
        golden = dict(arrays)
    golden[array] = golden[array] * 0.5
    np.savez(folder / "golden.npz", **golden)


def beside_graph(*, bias: float = -1.0) -> onnx.ModelProto:
    """A graph that calls bright scans positive; its map is the views side by side in cells of 16 x 16, rectified."""
    weights = {
        "sides": np.array([-1, 1, 512, 512], np.int64),
        "kernel": np.full((1, 1, 16, 16), 1 / 256, np.float32),
        "views": np.full((2, 1), bias / 2, np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["canvas"], ["rows"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["rows", "sides"], ["beside"]),
        helper.make_node("Conv", ["beside", "kernel"], ["evidence"], strides=[16, 16]),
        helper.make_node("Relu", ["evidence"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["level"]),
        helper.make_node("MatMul", ["present", "views"], ["bias"]),
        helper.make_node("Add", ["level", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    return _model(nodes, weights, "probability", cells=(32, 32))


def _model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, NDArray[np.generic]],
    probability: str,
    cells: tuple[int, int] = (32, 16),
) -> onnx.ModelProto:
    def port(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])

    graph = helper.make_graph(
        nodes,
        "bright",
        [port("canvas", 2, 512, 256), port("present", 2)],
        [port(probability, 1), port("logit", 1), port("map", 1, *cells)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
