"""Engines on real graphs: numbers, precision, and the golden gate."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import openvino
import pytest
from onnx import helper

from scintiflow.errors import Refused
from scintiflow.inference.engine import Engine, check_golden, open_engine
from scintiflow.inference.manifest import EngineChoice, EngineName, Precision, load
from scintiflow.inference.session import open_sessions
from tests.graphs import answer, bright_graph, model_folder, scans, spoil_golden, undefined_graph, with_int8

ENGINES: list[tuple[EngineName, Precision]] = [("openvino", "auto"), ("openvino", "f32"), ("onnxruntime", "auto")]


@pytest.mark.parametrize(("name", "precision"), ENGINES)
def test_an_engine_computes_the_graph(tmp_path: Path, name: EngineName, precision: Precision) -> None:
    """Probability, logit and map agree with ONNX Runtime in f32."""
    manifest = load(model_folder(tmp_path))
    canvas, present = scans(4, seed=7)
    found = open_engine(manifest.run_by(EngineChoice(name=name, precision=precision))).run(canvas, present)
    expected = answer(manifest.graph(), canvas, present)
    np.testing.assert_allclose(found.probability, expected["probability"], atol=0.01)
    np.testing.assert_allclose(found.map, expected["map"], atol=0.02 * expected["map"].max())


@pytest.mark.parametrize(("name", "precision"), ENGINES)
def test_an_answer_does_not_depend_on_its_neighbours(tmp_path: Path, name: EngineName, precision: Precision) -> None:
    """A scan alone and the same scan in a batch give the same bits."""
    engine = open_engine(load(model_folder(tmp_path)).run_by(EngineChoice(name=name, precision=precision)))
    canvas, present = scans(5, seed=3)
    together = engine.run(canvas, present)
    for row in range(5):
        alone = engine.run(canvas[row : row + 1], present[row : row + 1])
        assert alone.probability.tobytes() == together.probability[row : row + 1].tobytes()
        assert alone.map.tobytes() == together.map[row : row + 1].tobytes()


def test_the_precision_is_the_one_that_the_cpu_has(tmp_path: Path) -> None:
    """With `auto` OpenVINO runs bf16 where the CPU reports it, else f32, and says so."""
    able = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    manifest = load(model_folder(tmp_path))
    assert open_engine(manifest).describe().precision == ("bf16" if able else "f32")
    assert open_engine(manifest.run_by(EngineChoice(precision="f32"))).describe().precision == "f32"
    assert open_engine(manifest).describe().engine.startswith("openvino 20")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_throughput_gives_the_same_bits_as_latency(tmp_path: Path, count: int) -> None:
    """Rows that run side by side are answered as they are one after another, each in its place; the mode is told."""
    manifest = load(model_folder(tmp_path))
    canvas, present = scans(count, seed=5)
    usual = open_engine(manifest)
    beside = open_engine(manifest.run_by(manifest.engine.model_copy(update={"mode": "throughput"})))
    assert (usual.describe().mode, beside.describe().mode) == ("latency", "throughput")
    assert beside.sizes[-1] == len(os.sched_getaffinity(0))
    one, other = usual.run(canvas, present), beside.run(canvas, present)
    assert (one.probability.tobytes(), one.map.tobytes()) == (other.probability.tobytes(), other.map.tobytes())


def test_throughput_passes_the_golden_gate(tmp_path: Path) -> None:
    """Every size of batches that throughput makes goes through it."""
    manifest = load(model_folder(tmp_path)).run_by(EngineChoice(mode="throughput"))
    check_golden(open_engine(manifest), manifest)


def test_an_engine_without_modes_refuses_one(tmp_path: Path) -> None:
    """ONNX Runtime is not asked for something that it would ignore, and tells of no mode."""
    manifest = load(model_folder(tmp_path))
    assert open_engine(manifest.run_by(EngineChoice(name="onnxruntime"))).describe().mode is None
    with pytest.raises(Refused, match="set the mode to latency"):
        open_engine(manifest.run_by(EngineChoice(name="onnxruntime", mode="throughput")))


def test_what_openvino_keeps_gives_the_same_bits(tmp_path: Path) -> None:
    """What the first start compiled is taken by the next, also in another precision, and changes no answer."""
    manifest, cache = load(model_folder(tmp_path)), tmp_path / "engines"
    canvas, present = scans(2, seed=6)
    for precision in ("auto", "f32", "auto"):
        choice = EngineChoice(precision=precision)
        fresh = open_engine(manifest.run_by(choice)).run(canvas, present)
        kept = open_engine(manifest.run_by(choice.model_copy(update={"cached": True})), cache=cache).run(
            canvas, present
        )
        assert (fresh.probability.tobytes(), fresh.map.tobytes()) == (kept.probability.tobytes(), kept.map.tobytes())
    assert len(list(cache.rglob("*.blob"))) == 1


def test_openvino_keeps_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    """A folder for engines alone makes no file."""
    open_engine(load(model_folder(tmp_path)), cache=tmp_path / "engines")
    assert not (tmp_path / "engines").exists()


def test_other_weights_are_compiled_anew(tmp_path: Path) -> None:
    """A model that was trained again never runs with what was kept of the one before, whatever else is equal."""
    choice, cache = EngineChoice(cached=True), tmp_path / "engines"
    canvas, present = scans(1, seed=6)
    for name, bias in (("before", 0.0), ("after", 1.0)):
        graph = bright_graph(bias=bias)
        manifest = load(model_folder(tmp_path / name, graph=graph)).run_by(choice)
        found = open_engine(manifest, cache=cache).run(canvas, present)
        expected = answer(manifest.graph(), canvas, present)
        np.testing.assert_allclose(found.probability, expected["probability"], atol=0.01)


@pytest.mark.parametrize("damage", [lambda blob: blob[: len(blob) // 2], lambda blob: blob[:-64] + bytes(64), bytes])
def test_what_is_damaged_is_compiled_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """A kept file that was cut short, or holds something else, keeps no model from the golden gate."""
    manifest, cache = load(model_folder(tmp_path)).run_by(EngineChoice(cached=True)), tmp_path / "engines"
    open_engine(manifest, cache=cache)
    (blob,) = cache.rglob("*.blob")
    blob.write_bytes(damage(blob.read_bytes()))
    check_golden(open_engine(manifest, cache=cache), manifest)


def test_a_cache_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """The sentence says which folder, why, and which setting does without."""
    (tmp_path / "engines").write_bytes(b"")
    manifest = load(model_folder(tmp_path)).run_by(EngineChoice(cached=True))
    with pytest.raises(Refused, match=r"engines/openvino cannot be made \(Not a directory\); set cached to false"):
        open_engine(manifest, cache=tmp_path / "engines")


def test_onnxruntime_refuses_a_precision_that_it_would_ignore(tmp_path: Path) -> None:
    """Asking ONNX Runtime for bf16 is refused instead of run in f32."""
    with pytest.raises(Refused, match="in f32 only"):
        open_engine(load(model_folder(tmp_path)).run_by(EngineChoice(name="onnxruntime", precision="bf16")))


def test_int8_runs_in_int8(tmp_path: Path) -> None:
    """OpenVINO computes the convolutions of an int8 graph in eight bits, says so, and passes its own golden gate."""
    folder = model_folder(tmp_path)
    with_int8(folder)
    manifest = load(folder).run_by(EngineChoice(precision="int8"))
    engine = open_engine(manifest)
    check_golden(engine, manifest)
    assert engine.describe().precision == "int8"


def test_int8_is_never_claimed_of_a_graph_that_is_not(tmp_path: Path) -> None:
    """A graph that calls itself int8 but computes in something wider is refused."""
    folder = model_folder(tmp_path)
    with_int8(folder, bright_graph())
    with pytest.raises(Refused, match=r"Convolutions run in .* here, not in int8"):
        open_engine(load(folder).run_by(EngineChoice(precision="int8")))


@pytest.mark.parametrize(("name", "precision"), ENGINES)
def test_a_true_engine_passes_the_golden_gate(tmp_path: Path, name: EngineName, precision: Precision) -> None:
    """An engine that reproduces probabilities and maps passes."""
    manifest = load(model_folder(tmp_path))
    check_golden(open_engine(manifest.run_by(EngineChoice(name=name, precision=precision))), manifest)


@pytest.mark.parametrize("array", ["probability", "map"])
def test_a_wrong_engine_fails_the_golden_gate(tmp_path: Path, array: str) -> None:
    """A wrong map beside right probabilities fails, and so does the reverse; the sentence names which."""
    folder = model_folder(tmp_path)
    spoil_golden(folder, array)
    manifest = load(folder)
    with pytest.raises(Refused, match=f"does not reproduce the golden outputs: {array} is off by"):
        check_golden(open_engine(manifest), manifest)


@pytest.mark.parametrize("wrong", [1, 4])
def test_every_batch_size_has_to_pass_the_golden_gate(tmp_path: Path, wrong: int) -> None:
    """Where sizes are built each by itself, one that is wrong fails the gate, whichever it is."""
    manifest = load(model_folder(tmp_path))
    graphs = {size: manifest.graph() for size in (1, 4)}
    check_golden(sized(graphs), manifest)
    graphs[wrong] = bright_graph(bias=1.0).SerializeToString()
    with pytest.raises(Refused, match="probability is off by"):
        check_golden(sized(graphs), manifest)


def sized(graphs: Mapping[int, bytes]) -> Engine:
    """An engine with a graph for each batch size."""
    choice = EngineChoice(name="onnxruntime")
    sessions = {size: open_sessions(graph, choice, lambda _, size=size: (size,)) for size, graph in graphs.items()}
    return Engine({size: session[size] for size, session in sessions.items()})


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_batches_of_fixed_sizes_hold_any_number(tmp_path: Path, count: int) -> None:
    """Scans that do not fill a batch are answered as they are alone, and nothing is answered that was not asked."""
    graph = load(model_folder(tmp_path)).graph()
    canvas, present = scans(count, seed=4)
    found = sized({1: graph, 4: graph}).run(canvas, present)
    expected = answer(graph, canvas, present)
    assert found.probability.shape == (count, 1)
    np.testing.assert_allclose(found.probability, expected["probability"], rtol=1e-5)
    np.testing.assert_allclose(found.map, expected["map"], rtol=1e-5)


def test_a_missing_golden_file_fails_the_gate(tmp_path: Path) -> None:
    """Without golden outputs there is no proof, so there is no pass."""
    folder = model_folder(tmp_path)
    manifest = load(folder)
    (folder / "golden.npz").unlink()
    with pytest.raises(Refused, match=r"golden.npz cannot be read"):
        check_golden(open_engine(manifest), manifest)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_something_that_is_no_number_is_never_a_finding(tmp_path: Path, name: EngineName) -> None:
    """0 divided by 0 in the graph is refused; a sound scan before and after is answered."""
    engine = open_engine(load(model_folder(tmp_path, graph=undefined_graph())).run_by(EngineChoice(name=name)))
    canvas, present = scans(1)
    dark = np.zeros_like(canvas)
    assert engine.run(canvas, present).probability == 1
    with pytest.raises(Refused, match="not a number"):
        engine.run(dark, present)
    assert engine.run(canvas, present).probability == 1


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_probability_above_one_is_never_a_finding(tmp_path: Path, name: EngineName) -> None:
    """A graph that forgets its sigmoid is refused at the first scan."""
    graph = bright_graph()
    graph.graph.node[-1].CopyFrom(helper.make_node("Exp", ["logit"], ["probability"]))
    engine = open_engine(load(model_folder(tmp_path, graph=graph)).run_by(EngineChoice(name=name)))
    canvas, present = scans(4)
    with pytest.raises(Refused, match="outside 0 to 1"):
        engine.run(canvas, present)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_graph_that_breaks_the_contract_is_refused(tmp_path: Path, name: EngineName) -> None:
    """A graph without an output called `probability` is refused by name."""
    folder = model_folder(tmp_path, graph=bright_graph())
    digest = load(folder).digest
    graph = bright_graph(output="score").SerializeToString()
    (folder / "model.onnx").write_bytes(graph)
    text = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(text.replace(digest, hashlib.sha256(graph).hexdigest()))
    with pytest.raises(Refused, match="score"):
        open_engine(load(folder).run_by(EngineChoice(name=name)))
