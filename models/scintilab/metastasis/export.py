"""Turns weights into what is served: `python -m scintilab.metastasis.export`.

Writes model.onnx, golden.npz (inputs and the outputs that every engine must reproduce, computed by ONNX
Runtime in float32) and manifest.toml.
"""

import hashlib
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import onnxruntime
import torch
import typer
from numpy.typing import NDArray
from pydicom import dcmread

from scintiflow.dicom.canvas import HEIGHT, WIDTH, canvas_view
from scintilab.metastasis.network import Answer, Network

OPSET = 18

MANIFEST = """\
[model]
name = "metastasis"
version = "0.1.0"
kind = "classifier"
file = "model.onnx"
digest = "{digest}"
golden = "golden.npz"
label = "bone metastases"
requires = ["anterior", "posterior"]
threshold = {threshold}
evidence = "simulated patients"

[question]
value = "94222008"
scheme = "SCT"
meaning = "Bony metastasis"

[tolerance]
probability = 0.02
map = 0.05 # of the golden map's maximum

[engine]
name = "openvino"
precision = "auto"
"""


def export(
    work: Annotated[Path, typer.Option(help="Folder with weights.pt.")] = Path("build/metastasis"),
    out: Annotated[Path, typer.Option(help="Folder to serve; holds examples/.")] = Path("models/metastasis"),
) -> None:
    """Write graph, golden outputs and manifest."""
    saved = torch.load(work / "weights.pt", weights_only=True)
    network = Network()
    network.load_state_dict(saved["weights"])
    graph = out / "model.onnx"
    write_graph(network.eval(), graph)
    np.savez_compressed(out / "golden.npz", allow_pickle=False, **golden(graph, out / "examples"))
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    (out / "manifest.toml").write_text(MANIFEST.format(digest=digest, threshold=round(saved["threshold"], 2)))
    typer.echo(f"{graph} has {graph.stat().st_size / 1e6:.1f} MB and digest {digest[:12]}.")


def write_graph(network: Network, path: Path) -> None:
    """Write one ONNX file whose only free axis is the batch."""
    canvas, present = torch.rand(2, 2, HEIGHT, WIDTH), torch.ones(2, 2)
    batch = torch.export.Dim("N", min=1, max=4096)
    program = torch.onnx.export(
        network,
        (canvas, present),
        input_names=["canvas", "present"],
        output_names=list(Answer._fields),
        opset_version=OPSET,
        dynamic_shapes={"canvas": {0: batch}, "present": {0: batch}},
        dynamo=True,
    )
    model = program.model_proto
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]  # the exporter's notes name the files of whoever ran it
    onnx.save_model(model, path)
    onnx.checker.check_model(str(path), full_check=True)


def golden(graph: Path, examples: Path) -> dict[str, NDArray[np.float32]]:
    """Read a healthy study, a sick one, and the sick one without its posterior view."""
    healthy, sick = (_canvas(examples / name) for name in ("normal-1.dcm", "metastases-1.dcm"))
    canvas = np.stack([healthy, sick, sick * np.array([1, 0], np.float32)[:, None, None]])
    present = np.array([[1, 1], [1, 1], [1, 0]], np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    outputs = session.run(list(Answer._fields), {"canvas": canvas, "present": present})
    return {"canvas": canvas, "present": present, **dict(zip(Answer._fields, outputs, strict=True))}


def _canvas(example: Path) -> NDArray[np.float32]:
    return np.stack([canvas_view(view) for view in dcmread(example).pixel_array])


if __name__ == "__main__":
    typer.run(export)
