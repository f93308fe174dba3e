"""What a graph that has learnt nothing promises."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from scintiflow.inference.engine import open_engine
from scintiflow.inference.manifest import EngineChoice, Manifest, load
from scintilab.evaluate.random_weights import random_weights
from tests.graphs import model_folder, scans

SHIPPED = Path(__file__).parents[4] / "models" / "metastasis"


def tensors(manifest: Manifest) -> dict[str, np.ndarray]:
    """The stored numbers of a graph, by name."""
    return {
        each.name: numpy_helper.to_array(each) for each in onnx.load_from_string(manifest.graph()).graph.initializer
    }


def test_shipped_model_forgets_and_still_answers(tmp_path: Path) -> None:
    """Every layer's weights are other ones, of the same type; the graph still runs, and its map is not flat."""
    served = load(SHIPPED)
    forgot = random_weights(served, 0, tmp_path)
    before, after = tensors(served), tensors(forgot)
    assert before.keys() == after.keys()
    deep = [name for name, values in before.items() if values.ndim == 4 and values.size > 100]
    assert len(deep) > 5
    assert not any(np.allclose(before[name], after[name]) for name in deep)
    assert all(before[name].dtype == after[name].dtype for name in before)
    canvas, present = scans(2)
    told = open_engine(forgot.run_by(EngineChoice(name="onnxruntime"))).run(canvas, present)
    assert np.ptp(told.map[0]) > 0


def test_seed_decides(tmp_path: Path) -> None:
    """The same seed writes the same bytes, another seed others."""
    served = load(model_folder(tmp_path / "models"))
    digests = [random_weights(served, seed, tmp_path / "random").digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_half_precision_weights_are_found_behind_their_cast(tmp_path: Path) -> None:
    """Weights stored in 16 bits and cast in the graph are drawn anew in 16 bits, with the spread that layers need."""
    graph = onnx.load(model_folder(tmp_path / "models") / "model.onnx")
    kernel = next(each for each in graph.graph.initializer if each.name == "kernel")
    half = numpy_helper.from_array(numpy_helper.to_array(kernel).astype(np.float16), "half")
    graph.graph.initializer.remove(kernel)
    graph.graph.initializer.append(half)
    graph.graph.node.insert(0, helper.make_node("Cast", ["half"], ["kernel"], to=onnx.TensorProto.FLOAT))
    served = load(model_folder(tmp_path / "others", graph=graph))
    drawn = tensors(random_weights(served, 0, tmp_path / "random"))["half"]
    assert drawn.dtype == np.float16
    assert drawn.std() == pytest.approx(np.sqrt(2 / 512), rel=0.1)
