"""Generators on real graphs: numbers, the one bucket, and the golden gate."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from scintiflow.errors import Refused
from scintiflow.inference.generator import Generator, check_golden, open_generator
from scintiflow.inference.generator_manifest import load_generator
from scintiflow.inference.manifest import EngineName
from scintiflow.inference.session import Floats
from tests.graphs import LATENT, SLOTS, blob_graph, drawn, generator_folder, spoil_golden

ENGINES: list[EngineName] = ["openvino", "onnxruntime"]


def inputs(count: int, seed: int = 1) -> tuple[Floats, Floats, Floats]:
    """Noise, conditions, and what of them is known, for `count` scans."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((count, LATENT)).astype(np.float32)
    return noise, random.random((count, SLOTS), np.float32), np.ones((count, SLOTS), np.float32)


def opened(models: Path, engine: EngineName = "openvino", graph: onnx.ModelProto | None = None) -> Generator:
    """Open a generator for tests."""
    generator_folder(models, graph=graph)
    manifest = load_generator(models)
    return open_generator(manifest, manifest.engine.model_copy(update={"name": engine}))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_draws_what_the_graph_says(tmp_path: Path, engine: EngineName) -> None:
    """Rates and embeddings agree with ONNX Runtime, also where the last bucket is not full."""
    given = inputs(6)
    found = opened(tmp_path, engine).run(*given)
    expected = drawn(blob_graph().SerializeToString(), *given)
    np.testing.assert_allclose(found.rate, expected["rate"], atol=0.01 * expected["rate"].max())
    np.testing.assert_allclose(found.embedding, expected["embedding"], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_scan_does_not_depend_on_company(tmp_path: Path, engine: EngineName) -> None:
    """Alone, in a full bucket, and at another place of a shuffled one, a scan has the same bits."""
    generator = opened(tmp_path, engine)
    given = inputs(7)
    together = generator.run(*given)
    order = np.random.default_rng(3).permutation(7)
    shuffled = generator.run(*(values[order] for values in given))
    for row in range(7):
        alone = generator.run(*(values[row : row + 1] for values in given))
        place = int(np.flatnonzero(order == row)[0])
        assert alone.rate[0].tobytes() == together.rate[row].tobytes() == shuffled.rate[place].tobytes()
        assert alone.embedding[0].tobytes() == together.embedding[row].tobytes()


def test_throughput_draws_the_same_scans(tmp_path: Path) -> None:
    """Scans that are drawn side by side have the bits of those in one bucket, each in its place."""
    usual, given = opened(tmp_path), inputs(7)
    manifest = load_generator(tmp_path)
    beside = open_generator(manifest, manifest.engine.model_copy(update={"mode": "throughput"}))
    one, other = usual.run(*given), beside.run(*given)
    assert beside.describe().mode == "throughput"
    assert (one.rate.tobytes(), one.embedding.tobytes()) == (other.rate.tobytes(), other.embedding.tobytes())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_true_engine_passes_the_golden_gate(tmp_path: Path, engine: EngineName) -> None:
    """An engine that draws the golden scans passes."""
    check_golden(opened(tmp_path, engine), load_generator(tmp_path))


@pytest.mark.parametrize("array", ["rate", "embedding"])
def test_a_wrong_engine_fails_the_golden_gate(tmp_path: Path, array: str) -> None:
    """A wrong rate beside right embeddings fails, and so does the reverse; the sentence names which."""
    generator = opened(tmp_path)
    spoil_golden(tmp_path / "generator", array)
    with pytest.raises(Refused, match=f"does not reproduce the golden scans: {array} is off by"):
        check_golden(generator, load_generator(tmp_path))


def test_golden_scans_of_another_graph_fail_the_gate(tmp_path: Path) -> None:
    """Golden noise of another length is no proof."""
    generator = opened(tmp_path)
    path = tmp_path / "generator" / "golden.npz"
    with np.load(path) as arrays:
        golden = dict(arrays)
    np.savez(path, **golden | {"noise": golden["noise"][:, 1:]})
    with pytest.raises(Refused, match="build it again"):
        check_golden(generator, load_generator(tmp_path))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("last", "what"), [("Log", "not a number"), ("Neg", "negative counts")])
def test_what_is_no_rate_is_never_a_scan(tmp_path: Path, engine: EngineName, last: str, what: str) -> None:
    """A graph whose rates are no counts is refused before anything is drawn from them."""
    graph = blob_graph()
    focus = next(node for node in graph.graph.node if node.output[0] == "rate")
    focus.output[0] = "rate_before"
    graph.graph.node.append(helper.make_node("Sub", ["rate_before", "offset"], ["lowered"]))
    graph.graph.node.append(helper.make_node(last, ["lowered"], ["rate"]))
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0.1, np.float32), "offset"))
    generator = opened(tmp_path, engine, graph)
    with pytest.raises(Refused, match=what):
        generator.run(*inputs(1))


def test_a_graph_of_other_conditions_is_refused(tmp_path: Path) -> None:
    """A manifest with a condition that the graph does not take is refused, with how many numbers it should take."""
    path = generator_folder(tmp_path) / "manifest.toml"
    path.write_text(path.read_text() + '\n[[condition]]\nname = "obese"\nkind = "flag"\n')
    with pytest.raises(Refused, match="11 numbers each"):
        open_generator(load_generator(tmp_path))
