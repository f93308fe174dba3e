"""Small ONNX graphs that keep the contracts of classifiers and generators, and model folders around them.

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

INT8 = """
[int8]
file = "int8.onnx"
digest = "{digest}"

[int8.tolerance]
probability = 0.08
map = 0.2
"""


def bright_graph(*, bias: float = -1.0, output: str = "probability") -> onnx.ModelProto:
    """A graph that calls bright scans positive: its map averages the views, its logit averages the map."""
    weights = {
        "kernel": np.full((1, 2, 16, 16), 1 / 512, np.float32),
        "views": np.full((2, 1), bias / 2, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["canvas", "kernel"], ["map"], strides=[16, 16]),
        *_judged(output),
    ]
    return _model(nodes, weights, output)


def int8_graph() -> onnx.ModelProto:
    """The bright graph with input and weights of its convolution in eight bits."""
    graph = bright_graph()
    weights = {
        "level": np.array(3 / 255, np.float32),
        "black": np.array(0, np.uint8),
        "unit": np.array([1 / 512 / 127], np.float32),
        "zero": np.array([0], np.int8),
        "eighth": np.full((1, 2, 16, 16), 127, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["canvas", "level", "black"], ["told"]),
        helper.make_node("DequantizeLinear", ["told", "level", "black"], ["seen"]),
        helper.make_node("DequantizeLinear", ["eighth", "unit", "zero"], ["kernel"], axis=0),
    ]
    kept = [weight for weight in graph.graph.initializer if weight.name != "kernel"]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend([*kept, *(numpy_helper.from_array(value, name) for name, value in weights.items())])
    graph.graph.node[0].input[0] = "seen"
    for place, node in enumerate(nodes):
        graph.graph.node.insert(place, node)
    return graph


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


def with_int8(folder: Path, graph: onnx.ModelProto | None = None) -> str:
    """Write a graph for int8 into a model's folder, tell of it in the manifest, and return its digest."""
    proto = (graph or int8_graph()).SerializeToString()
    (folder / "int8.onnx").write_bytes(proto)
    digest = hashlib.sha256(proto).hexdigest()
    with (folder / "manifest.toml").open("a") as manifest:
        manifest.write(INT8.format(digest=digest))
    return digest


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
        *_judged("probability"),
    ]
    return _model(nodes, weights, "probability", cells=(32, 32))


def cancelling_graph() -> onnx.ModelProto:
    """A graph that sees a difference which eight bits do not: of two weights, one is a thousandth larger."""
    kernel = np.zeros((1, 2, 16, 16), np.float32)
    kernel[0, 0, 0, :2] = 1, -0.999
    nodes = [
        helper.make_node("Conv", ["canvas", "kernel"], ["evidence"], strides=[16, 16]),
        helper.make_node("Relu", ["evidence"], ["map"]),
        *_judged("probability"),
    ]
    return _model(nodes, {"kernel": kernel, "views": np.full((2, 1), -0.5, np.float32)}, "probability")


def _judged(probability: str) -> list[onnx.NodeProto]:
    """Average the map, add what the views that there are are worth, and squash."""
    return [
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["level"]),
        helper.make_node("MatMul", ["present", "views"], ["bias"]),
        helper.make_node("Add", ["level", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], [probability]),
    ]


def _model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, NDArray[np.generic]],
    probability: str,
    cells: tuple[int, int] = (32, 16),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "bright",
        [_rows("canvas", 2, 512, 256), _rows("present", 2)],
        [_rows(probability, 1), _rows("logit", 1), _rows("map", 1, *cells)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


LATENT = 8
"""Length of the noise of `blob_graph`."""

GENERATOR_MANIFEST = """
[model]
name = "generator"
version = "0.1.0"
kind = "generator"
file = "model.onnx"
digest = "{digest}"
golden = "golden.npz"
guard = "guard.npz"
evidence = "simulated patients"
counts = [150000, 600000, 3000000]

[tolerance]
rate = 0.02
embedding = 0.02

[engine]
name = "{engine}"
precision = "f32"
rows = 4

[[condition]]
name = "metastatic"
kind = "flag"

[[condition]]
name = "cardiac"
kind = "flag"

[[condition]]
name = "load"
kind = "number"
scale = "log1p"
low = 0.0
high = 20.0
unit = "percent of skeletal mass, bone scan index"
drawn_from = [0.1, 0.2, 0.5, 1.1, 2.0, 4.0, 9.0]

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
SLOTS = 10


def blob_graph() -> onnx.ModelProto:
    """A graph that draws a bright blob on a body: the noise says where, the conditions how bright it is."""
    random = np.random.default_rng(5)
    body = np.zeros((1, 2, 16, 8), np.float32)
    body[:, :, 2:14, 2:6] = random.uniform(0.5, 1.5, (1, 2, 12, 4))
    weights: dict[str, NDArray[np.generic]] = {
        "body": body,
        "scales": np.array([1, 1, 32, 32], np.float32),
        "where": random.standard_normal((LATENT, 2)).astype(np.float32),
        "reach": np.array([[150, 40]], np.float32),
        "middle": np.array([[256, 128]], np.float32),
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "rows": np.arange(512, dtype=np.float32)[None],
        "columns": np.arange(256, dtype=np.float32)[None],
        "narrow": np.array(-1 / 200, np.float32),
        "brightness": np.array([[4, 2, 8, 0, 0, 1, 2, 0, 0, 0]], np.float32).T,
        "as_column": np.array([1, 3], np.int64),
        "as_row": np.array([1, 2], np.int64),
        "as_pixel": np.array([2, 3], np.int64),
        "projection": random.standard_normal((LATENT + 2 * SLOTS, 16)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Resize", ["body", "", "scales"], ["shape"], mode="linear"),
        helper.make_node("MatMul", ["noise", "where"], ["at"]),
        helper.make_node("Tanh", ["at"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "reach"], ["moved"]),
        helper.make_node("Add", ["moved", "middle"], ["centre"]),
        *_profile("rows", "first", "as_column"),
        *_profile("columns", "second", "as_row"),
        helper.make_node("Mul", ["rows_profile", "columns_profile"], ["blob"]),
        helper.make_node("MatMul", ["condition", "brightness"], ["level"]),
        helper.make_node("Unsqueeze", ["level", "as_pixel"], ["height"]),
        helper.make_node("Mul", ["blob", "height"], ["focus"]),
        helper.make_node("Add", ["shape", "focus"], ["rate"]),
        helper.make_node("Concat", ["noise", "condition", "known"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", "projection"], ["embedding"]),
    ]
    takes = [_rows("noise", LATENT), _rows("condition", SLOTS), _rows("known", SLOTS)]
    gives = [_rows("rate", 2, 512, 256), _rows("embedding", 16)]
    initializers = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "blob", takes, gives, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def drawn(graph: bytes, noise: Floats, condition: Floats, known: Floats) -> dict[str, Floats]:
    """What ONNX Runtime draws in f32."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    given = {"noise": noise, "condition": condition, "known": known}
    return dict(zip(("rate", "embedding"), session.run(["rate", "embedding"], given), strict=True))


def generator_folder(models: Path, *, graph: onnx.ModelProto | None = None, engine: str = "openvino") -> Path:
    """Write a complete generator folder (manifest, graph, golden scans, a guard that knows nobody) and return it."""
    folder = models / "generator"
    folder.mkdir(parents=True, exist_ok=True)
    proto = (graph or blob_graph()).SerializeToString()
    (folder / "model.onnx").write_bytes(proto)
    text = GENERATOR_MANIFEST.format(digest=hashlib.sha256(proto).hexdigest(), engine=engine)
    (folder / "manifest.toml").write_text(text)
    random = np.random.default_rng(6)
    given = {
        "noise": random.standard_normal((5, LATENT)).astype(np.float32),
        "condition": random.random((5, SLOTS), np.float32),
        "known": np.ones((5, SLOTS), np.float32),
    }
    np.savez(folder / "golden.npz", **given, **drawn(proto, **given))
    guard_against(folder, np.full((1, 16), 1e6, np.float32))
    return folder


def guard_against(folder: Path, training: Floats, *, threshold: float = 0.1) -> None:
    """Let a generator's guard know these embeddings, [M, 16]."""
    np.savez(folder / "guard.npz", training=training, threshold=np.float32(threshold))


def _profile(axis: str, which: str, unsqueezed: str) -> list[onnx.NodeProto]:
    """A Gaussian along `axis`, around the coordinate `which` of the centre."""
    return [
        helper.make_node("Gather", ["centre", which], [f"{axis}_centre"], axis=1),
        helper.make_node("Sub", [axis, f"{axis}_centre"], [f"{axis}_off"]),
        helper.make_node("Mul", [f"{axis}_off", f"{axis}_off"], [f"{axis}_square"]),
        helper.make_node("Mul", [f"{axis}_square", "narrow"], [f"{axis}_scaled"]),
        helper.make_node("Exp", [f"{axis}_scaled"], [f"{axis}_bell"]),
        helper.make_node("Unsqueeze", [f"{axis}_bell", unsqueezed], [f"{axis}_profile"]),
    ]


def _rows(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
