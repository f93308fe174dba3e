"""A trained network -> what is served: model.onnx, golden.npz and manifest.toml."""

import hashlib
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.examples import canvas
from scintilab.head import Answer
from scintilab.phantom.disease import Disease

OPSET = 18

MANIFEST = """\
[model]
name = "{name}"
version = "{version}"
kind = "classifier"
file = "model.onnx"
digest = "{digest}"
golden = "golden.npz"
label = "{label}"
requires = [{requires}]
threshold = {threshold}
evidence = "simulated patients"

[question]
{question}
{site}
[tolerance]
probability = {probability}
map = {map} # of the golden map's maximum

[engine]
name = "openvino"
precision = "auto"
"""


class Concept(NamedTuple):
    """A coded concept, DICOM PS3.3 section 8."""

    value: str
    scheme: str
    meaning: str


class Description(NamedTuple):
    """What a manifest says that weights do not."""

    name: str
    version: str
    label: str
    requires: tuple[str, ...]
    question: Concept
    site: Concept | None
    tolerance: tuple[float, float]
    """Of the probability, and of the map as a share of its maximum."""
    golden: tuple[Callable[[Disease], bool], Callable[[Disease], bool]]
    """Who is healthy and who is sick: golden outputs are of the first example patient of each."""


def serve(network: nn.Module, threshold: float, description: Description, out: Path) -> str:
    """Write graph, golden outputs of two example patients, and manifest; return the graph's digest."""
    graph = out / "model.onnx"
    write_graph(
        network, graph, {"canvas": torch.rand(2, 2, HEIGHT, WIDTH), "present": torch.ones(2, 2)}, Answer._fields
    )
    healthy, sick = (canvas(is_one, first=0) for is_one in description.golden)
    np.savez_compressed(out / "golden.npz", allow_pickle=False, **golden(graph, healthy, sick))
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    (out / "manifest.toml").write_text(manifest(description, digest, threshold), encoding="utf-8")
    return digest


def write_graph(network: nn.Module, path: Path, given: Mapping[str, Tensor], outputs: Sequence[str]) -> None:
    """Write one ONNX file whose only free axis is the batch, weights of convolutions and matrix products in float16.

    Args:
        network: in evaluation mode or not; it is written as it is then.
        path: of the file.
        given: inputs by name, of two rows each.
        outputs: names of what the network returns.
    """
    batch = torch.export.Dim("N", min=1, max=4096)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it asks for torchvision, which nothing here needs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # and warns of nothing but itself
        program = torch.onnx.export(
            network.eval(),
            tuple(given.values()),
            input_names=list(given),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamic_shapes={name: {0: batch} for name in given},
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]  # the exporter's notes name the files of whoever ran it
    halve(model.graph)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, path)
    onnx.checker.check_model(str(path), full_check=True)


def halve(graph: onnx.GraphProto) -> None:
    """Keep the weights of convolutions and matrix products in float16, and cast them to float32 before use.

    Engines do that at loading.
    """
    weighed = {node.input[1] for node in graph.node if node.op_type in {"Conv", "MatMul", "Gemm"}}
    turned = {node.input[0] for node in graph.node if node.op_type == "Transpose" and node.output[0] in weighed}
    for weights in graph.initializer:
        if weights.name in weighed | turned and weights.data_type == TensorProto.FLOAT:
            name, half = weights.name, numpy_helper.to_array(weights).astype(np.float16)
            weights.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            graph.node.insert(0, helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))


def golden(graph: Path, healthy: NDArray[np.float32], sick: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Read a healthy study, a sick one, and the sick one without its posterior view: ONNX Runtime in float32.

    Canvases are kept in float16, and read as they are kept.
    """
    front = np.array([1, 0], np.float32)
    canvas = np.stack([healthy, sick, sick * front[:, None, None]]).astype(np.float16)
    present = np.array([[1, 1], [1, 1], front], np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    outputs = session.run(list(Answer._fields), {"canvas": canvas.astype(np.float32), "present": present})
    return {"canvas": canvas, "present": present, **dict(zip(Answer._fields, outputs, strict=True))}


def manifest(description: Description, digest: str, threshold: float) -> str:
    """Return manifest.toml."""
    probability, evidence = description.tolerance
    return MANIFEST.format(
        name=description.name,
        version=description.version,
        digest=digest,
        label=description.label,
        requires=", ".join(f'"{view}"' for view in description.requires),
        threshold=threshold,
        question=_keys(description.question),
        site=f"\n[site]\n{_keys(description.site)}\n" if description.site else "",
        probability=probability,
        map=evidence,
    )


def _keys(concept: Concept) -> str:
    return "\n".join(f'{key} = "{value}"' for key, value in concept._asdict().items())
