"""Every model that ships keeps its promises on every CPU engine."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from scintiflow.dicom.canvas import canvas_view
from scintiflow.inference.engine import check_golden, open_engine
from scintiflow.inference.manifest import EngineName, folders, load

MODELS = folders(Path(__file__).parents[3] / "models")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_passes_its_gate_and_ignores_neighbours(folder: Path, name: EngineName) -> None:
    """It reproduces its golden outputs, and a scan alone gives the same bits as among others."""
    manifest = load(folder)
    engine = open_engine(manifest, name)
    check_golden(engine, manifest)
    with np.load(folder / manifest.golden) as golden:
        canvas, present = golden["canvas"], golden["present"]
    together = engine.run(canvas, present)
    for row in range(len(canvas)):
        alone = engine.run(canvas[row : row + 1], present[row : row + 1])
        np.testing.assert_array_equal(alone.probability, together.probability[row : row + 1])
        np.testing.assert_array_equal(alone.map, together.map[row : row + 1])


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_answers_its_examples(folder: Path, name: EngineName) -> None:
    """Every example gets a probability and a map that the engine may give out, alike from every engine."""
    manifest = load(folder)
    engine, reference = open_engine(manifest, name), open_engine(manifest, "onnxruntime")
    for path in sorted((folder / "examples").glob("*.dcm")):
        canvas = np.stack([canvas_view(view) for view in dcmread(path).pixel_array.astype(np.float32)])[None]
        present = np.ones((1, 2), np.float32)
        told, expected = engine.run(canvas, present), reference.run(canvas, present)
        np.testing.assert_allclose(told.probability, expected.probability, atol=manifest.tolerance.probability)
