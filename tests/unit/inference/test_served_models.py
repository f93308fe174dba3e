"""Every model that ships keeps its promises on every CPU engine."""

from pathlib import Path

import numpy as np
import pytest

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
