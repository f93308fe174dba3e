"""What is served computes what was trained, on every engine, and its files say what it is."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, numpy_helper

from scintiflow.inference.engine import check_golden, open_engine
from scintiflow.inference.manifest import EngineChoice, EngineName, Precision, load
from scintilab.cardiac.__main__ import DESCRIPTION
from scintilab.cardiac.network import Network
from scintilab.graph import serve
from scintilab.head import fold
from tests.unit.scintilab.cohorts import a_cohort


@pytest.fixture(scope="module")
def network() -> Network:
    """A cardiac network of random weights, folded."""
    torch.manual_seed(3)
    network = Network()
    canvas = torch.from_numpy(a_cohort(4).canvas.astype(np.float32))
    with torch.no_grad():
        network.hidden(network.features(canvas, torch.ones(4, 2)), torch.ones(4, 2))
    fold(network.eval())
    return network


@pytest.fixture(scope="module")
def folder(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is served of it."""
    out = tmp_path_factory.mktemp("models") / "cardiac"
    serve(network, 0.25, DESCRIPTION, out)
    return out


def test_graph_computes_what_the_network_does(network: Network, folder: Path) -> None:
    """ONNX Runtime gives the network's answers, for any number of scans, but for weights rounded to float16."""
    canvas = a_cohort(3, seed=8).canvas.astype(np.float32)
    present = np.array([[1, 1], [1, 0], [0, 1]], np.float32)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    told = session.run(["probability", "logit", "map"], {"canvas": canvas, "present": present})
    with torch.inference_mode():
        expected = network(torch.from_numpy(canvas), torch.from_numpy(present))
    for found, answer in zip(told, expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, answer.numpy(), atol=5e-3 * float(answer.abs().amax()))


def test_convolutions_are_kept_in_float16_and_the_head_is_not(folder: Path) -> None:
    """A convolution's weights take two bytes each, the head's four, and no line tells where the graph was made."""
    graph = onnx.load(folder / "model.onnx").graph
    halves = [each for each in graph.initializer if each.data_type == TensorProto.FLOAT16]
    assert sum(node.op_type == "Conv" for node in graph.node) == len(halves)
    assert {numpy_helper.to_array(each).ndim for each in halves} == {4}
    heads = [
        each for each in graph.initializer if each.data_type == TensorProto.FLOAT and list(each.dims) == [128, 384]
    ]
    assert heads
    assert b"/models/" not in (folder / "model.onnx").read_bytes()


@pytest.mark.parametrize(("engine", "precision"), [("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "auto")])
def test_engines_reproduce_the_golden_outputs(folder: Path, engine: EngineName, precision: Precision) -> None:
    """Every engine of this machine passes the gate."""
    manifest = load(folder)
    check_golden(open_engine(manifest.run_by(EngineChoice(name=engine, precision=precision))), manifest)


def test_manifest_is_what_the_runtime_reads(folder: Path) -> None:
    """It names the graph's digest, the question, the site, the threshold, and that one view is enough."""
    manifest = load(folder)
    assert manifest.digest == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert (manifest.question.value, manifest.question.scheme) == ("PERUGINI-GE2", "99SCINTIFLOW")
    assert manifest.site is not None
    assert (manifest.site.value, manifest.threshold, manifest.requires) == ("80891009", 0.25, ("anterior",))


def test_golden_scans_are_kept_small(folder: Path) -> None:
    """Two scans, one of them twice, fit in half a megabyte, and the second time without its posterior view."""
    assert (folder / "golden.npz").stat().st_size < 500_000
    with np.load(folder / "golden.npz") as golden:
        assert golden["present"].tolist() == [[1, 1], [1, 1], [1, 0]]
        assert not golden["canvas"][2, 1].any()
        assert golden["map"].dtype == golden["probability"].dtype == np.float32
