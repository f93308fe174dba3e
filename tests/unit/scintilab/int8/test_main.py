"""`python -m scintilab.int8`: a graph in eight bits is shipped where it tells the same, and nowhere else."""

import subprocess
import sys
from pathlib import Path

import onnx

from scintiflow.inference.manifest import EngineChoice, load
from scintilab.int8.__main__ import MARKS
from tests.graphs import beside_graph, cancelling_graph, model_folder, with_int8

Run = subprocess.CompletedProcess[str]


def test_a_graph_that_tells_the_same_is_shipped(tmp_path: Path) -> None:
    """Graph, manifest and card tell of int8, and the model can be run so."""
    folder = served(tmp_path, beside_graph())
    result = made(folder, tmp_path)
    assert result.returncode == 0, result.stdout
    assert load(folder).run_by(EngineChoice(precision="int8")).graph() == (folder / "int8.onnx").read_bytes()
    assert "in int8 smaller by" in (folder / "CARD.md").read_text()


def test_a_graph_that_tells_something_else_is_not_shipped(tmp_path: Path) -> None:
    """Where eight bits are too few, the command fails, says why, and takes an earlier int8 graph away."""
    folder = served(tmp_path, cancelling_graph())
    with_int8(folder)
    result = made(folder, tmp_path)
    assert result.returncode == 1
    assert "map is off by" in result.stdout
    assert load(folder).int8 is None
    assert not (folder / "int8.onnx").exists()


def test_a_card_without_a_place_is_refused_before_the_work(tmp_path: Path) -> None:
    """Without its marks in CARD.md nothing is computed, and the sentence tells which lines to write."""
    folder = served(tmp_path, beside_graph())
    (folder / "CARD.md").write_text("# metastasis\n")
    result = made(folder, tmp_path)
    assert result.returncode == 1
    assert MARKS.begin in " ".join(result.stdout.split())
    assert not (tmp_path / "work").exists()


def served(models: Path, graph: onnx.ModelProto) -> Path:
    """A folder to serve, with a card."""
    folder = model_folder(models, "metastasis", graph=graph)
    (folder / "CARD.md").write_text(f"# metastasis\n\n{MARKS.begin}\n{MARKS.end}\n")
    return folder


def made(folder: Path, tmp_path: Path) -> Run:
    """Run the command with a few patients."""
    told = ["metastasis", "--model", folder, "--work", tmp_path / "work", "--scans", 4, "--share", 0.02]
    command = [sys.executable, "-m", "scintilab.int8", *map(str, told)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
