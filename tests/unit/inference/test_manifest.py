"""What a manifest vouches for, and what it refuses."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineChoice, discover, folders, load
from tests.graphs import bright_graph, model_folder, with_int8


def _edit(folder: Path, old: str, new: str) -> None:
    manifest = folder / "manifest.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))


def test_a_sound_folder_loads(tmp_path: Path) -> None:
    """A manifest carries its facts, its question and the bytes that its digest names."""
    manifest = load(model_folder(tmp_path))
    assert (manifest.name, manifest.label, manifest.threshold) == ("bright", "bone metastases", 0.5)
    assert manifest.question.value == "94222008"
    assert manifest.site is None
    assert manifest.graph() == (tmp_path / "bright" / "model.onnx").read_bytes()


def test_a_changed_graph_is_refused(tmp_path: Path) -> None:
    """One more byte in the graph and the model is refused, also when it changes after loading."""
    folder = model_folder(tmp_path)
    manifest = load(folder)
    with (folder / "model.onnx").open("ab") as graph:
        graph.write(b"\0")
    with pytest.raises(Refused, match="differs from the digest"):
        manifest.graph()
    with pytest.raises(Refused, match="differs from the digest"):
        load(folder)


def test_weights_outside_the_graph_are_refused(tmp_path: Path) -> None:
    """A graph that keeps weights in another file is refused: the digest would not cover them."""
    graph = bright_graph()
    onnx.external_data_helper.set_external_data(graph.graph.initializer[0], location="weights.bin")
    graph.graph.initializer[0].ClearField("raw_data")
    folder = model_folder(tmp_path)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    old = load(model_folder(tmp_path, "other")).digest
    _edit(folder, old, hashlib.sha256(graph.SerializeToString()).hexdigest())
    with pytest.raises(Refused, match="export it as one file"):
        load(folder)


def test_ordinary_weights_are_not_mistaken_for_external_ones(tmp_path: Path) -> None:
    """A node that happens to be called `location` changes nothing."""
    graph = bright_graph()
    graph.graph.node[0].name = "location"
    graph.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "location"))
    assert load(model_folder(tmp_path, graph=graph)).graph()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('file = "model.onnx"', 'file = "../../etc/passwd"', "file"),
        ("threshold = 0.5", "threshold = 1.5", "threshold"),
        ('requires = ["anterior", "posterior"]', 'requires = ["lateral"]', "requires"),
        ('label = "bone metastases"', 'label = "x"\nsurprise = 1', "surprise"),
        ('name = "openvino"', 'name = "tensorflow"', "engine.name"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    """Every broken rule names the folder and the key."""
    folder = model_folder(tmp_path)
    _edit(folder, old, new)
    with pytest.raises(Refused, match=rf"bright/manifest.toml: {place}"):
        load(folder)


def test_only_classifiers_are_discovered(tmp_path: Path) -> None:
    """Generators and folders without a manifest are passed over; an unreadable manifest is not."""
    model_folder(tmp_path, "second")
    model_folder(tmp_path, "first")
    (tmp_path / "workshop").mkdir()
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "manifest.toml").write_text('[model]\nname = "generator"\nkind = "generator"\n')
    assert [manifest.name for manifest in discover(tmp_path)] == ["first", "second"]
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "manifest.toml").write_text("[model")
    assert [folder.name for folder in folders(tmp_path)] == ["first", "second", "torn"]
    with pytest.raises(Refused, match=r"torn/manifest.toml cannot be read"):
        discover(tmp_path)


def test_int8_is_another_graph_with_its_own_tolerance(tmp_path: Path) -> None:
    """Run in int8, a model is the graph that its maker judged in int8; in any other precision it is itself."""
    folder = model_folder(tmp_path)
    digest = with_int8(folder)
    manifest = load(folder)
    narrow = manifest.run_by(EngineChoice(precision="int8"))
    assert (narrow.digest, narrow.tolerance.probability) == (digest, 0.08)
    assert narrow.graph() == (folder / "int8.onnx").read_bytes()
    assert narrow.run_by(narrow.engine) == narrow
    assert manifest.run_by(EngineChoice(precision="f32")).digest == manifest.digest


def test_int8_is_refused_where_there_is_none(tmp_path: Path) -> None:
    """A model that was not shipped in int8 says so, and what to set instead."""
    with pytest.raises(Refused, match="has no graph in int8: set the precision to auto"):
        load(model_folder(tmp_path)).run_by(EngineChoice(precision="int8"))


def test_a_changed_int8_graph_is_refused(tmp_path: Path) -> None:
    """The digest of the int8 graph is checked when the folder is loaded, whether it is used or not."""
    folder = model_folder(tmp_path)
    with_int8(folder)
    with (folder / "int8.onnx").open("ab") as graph:
        graph.write(b"\0")
    with pytest.raises(Refused, match=r"int8\.onnx differs from the digest"):
        load(folder)
