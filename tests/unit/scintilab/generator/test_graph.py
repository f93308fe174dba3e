"""What is served computes what was trained, and its files say what it is."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from scintilab.generator.conditions import without_disease
from scintilab.generator.flow import Flow, Guidance
from scintilab.generator.graph import NOISE, Generator, Guard, Scan, embed, serve
from scintilab.generator.learners import Learners
from scintilab.generator.tokeniser import Tokeniser
from scintilab.generator.train import level
from scintilab.generator.weights import Weights, load
from tests.unit.scintilab.generator.learners import few

NEAR = 0.2


@pytest.fixture(scope="module")
def learners() -> Learners:
    """Who is learnt from."""
    return few()


@pytest.fixture(scope="module")
def weights(learners: Learners) -> Weights:
    """Random weights, each of which does something."""
    torch.manual_seed(5)
    tokeniser, flow = Tokeniser().eval(), Flow(learners.slots).eval()
    with torch.no_grad():
        for one in (*tokeniser.parameters(), *flow.parameters()):
            one.add_(0.02 * torch.randn_like(one))
    return Weights(tokeniser, flow, torch.zeros(24, 32, 16), torch.ones(24, 1, 1))


@pytest.fixture(scope="module")
def served(learners: Learners, weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[Generator, Path]:
    """A generator, and the folder it is served from."""
    embedding, guard = embed(weights.tokeniser, learners.learnt, learners.held_out)
    guidance = Guidance(3.0, 0.05, *map(torch.from_numpy, without_disease(learners.asked)))
    generator = Generator(weights, embedding, steps=1, guidance=guidance).eval()
    out = tmp_path_factory.mktemp("models") / "generator"
    serve(generator, guard, learners, "1.0.0", out)
    return generator, out


def test_graph_computes_what_the_generator_does(served: tuple[Generator, Path], learners: Learners) -> None:
    """ONNX Runtime makes the generator's scans, for any number of them, but for weights rounded to float16."""
    generator, out = served
    noise = np.random.default_rng(1).standard_normal((3, NOISE)).astype(np.float32)
    told = learners.known().rows(np.arange(3))
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(list(Scan._fields), {"noise": noise, **told._asdict()})
    with torch.inference_mode():
        expected = generator(torch.from_numpy(noise), *map(torch.from_numpy, told))
    assert found[0].shape == (3, 2, 512, 256)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=5e-3 * float(other.abs().amax()))


def test_graph_is_one_small_file_without_chance(served: tuple[Generator, Path]) -> None:
    """At most 16 MiB, opset 20 at most, the batch alone is free, and nothing in it is random."""
    graph = onnx.load(served[1] / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    assert (served[1] / "model.onnx").stat().st_size <= 16 << 20
    assert graph.opset_import[0].version <= 20
    assert not {node.op_type for node in graph.graph.node if "Random" in node.op_type or node.op_type == "Bernoulli"}
    assert {value.name: value.type.tensor_type.shape.dim[0].dim_value for value in graph.graph.input} == dict.fromkeys(
        ("noise", "condition", "known"), 0
    )


def test_manifest_says_what_the_graph_is(served: tuple[Generator, Path], learners: Learners) -> None:
    """It names the digest, the evidence, and every condition in the order of the graph's slots."""
    out = served[1]
    manifest = tomllib.loads((out / "manifest.toml").read_text(encoding="utf-8"))
    assert manifest["model"]["digest"] == hashlib.sha256((out / "model.onnx").read_bytes()).hexdigest()
    assert (manifest["model"]["kind"], manifest["model"]["evidence"]) == ("generator", "simulated patients")
    assert [one["name"] for one in manifest["condition"]] == [condition.name for condition in learners.asked]


def test_golden_scans_are_what_the_graph_makes(served: tuple[Generator, Path]) -> None:
    """Run again, the golden noise and conditions give the golden rates and embeddings."""
    with np.load(served[1] / "golden.npz") as golden:
        kept = {name: golden[name].astype(np.float32) for name in golden.files}
    session = onnxruntime.InferenceSession(served[1] / "model.onnx", providers=["CPUExecutionProvider"])
    given = {name: kept[name] for name in ("noise", "condition", "known")}
    for name, found in zip(Scan._fields, session.run(list(Scan._fields), given), strict=True):
        np.testing.assert_allclose(found, kept[name], rtol=1e-3, atol=1e-4 * float(np.abs(kept[name]).max()))


def test_a_copy_lies_nearer_than_anybody_else(weights: Weights, learners: Learners) -> None:
    """Somebody who was learnt from, counted again, lies far below the threshold; those held out do not."""
    embedding, guard = embed(weights.tokeniser, learners.learnt, learners.held_out)
    assert isinstance(guard, Guard)
    canvas = learners.learnt.read(np.array([1]))
    with torch.inference_mode():
        rate = weights.tokeniser.decode(weights.tokeniser.encode(torch.from_numpy(canvas / level(canvas))))
        place = embedding(rate).numpy()
    assert np.linalg.norm(guard.training - place, axis=1).min() < NEAR * guard.threshold


def test_weights_are_read_as_they_were_saved(weights: Weights, learners: Learners, tmp_path: Path) -> None:
    """Saved and loaded, every weight is the same."""
    weights.save(tmp_path)
    kept = load(tmp_path, learners.slots)
    for one, other in ((weights.tokeniser, kept.tokeniser), (weights.flow, kept.flow)):
        assert all(torch.equal(left, right) for left, right in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(weights.mean, kept.mean)
