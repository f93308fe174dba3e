"""Every model that ships keeps its promises on every CPU engine."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from scintiflow.dicom.canvas import canvas_view
from scintiflow.inference.engine import check_golden, open_engine
from scintiflow.inference.generator import INPUTS, open_generator
from scintiflow.inference.generator import check_golden as check_golden_scans
from scintiflow.inference.generator_manifest import load_generator
from scintiflow.inference.manifest import EngineChoice, EngineName, folders, load

SHIPPED = Path(__file__).parents[3] / "models"
MODELS = folders(SHIPPED)
ENGINES: list[EngineName] = ["openvino", "onnxruntime"]
CHOICES = [
    EngineChoice(name="openvino"),
    EngineChoice(name="openvino", precision="int8"),
    EngineChoice(name="onnxruntime"),
]
GENERATORS = [SHIPPED] if (SHIPPED / "generator" / "manifest.toml").exists() else []


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.name}-{choice.precision}")
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_passes_its_gate_and_ignores_neighbours(folder: Path, choice: EngineChoice) -> None:
    """It reproduces its golden outputs, and a scan alone gives the same bits as among others."""
    manifest = load(folder).run_by(choice)
    engine = open_engine(manifest)
    check_golden(engine, manifest)
    with np.load(folder / manifest.golden) as golden:
        canvas, present = (golden[name].astype(np.float32) for name in ("canvas", "present"))
    together = engine.run(canvas, present)
    for row in range(len(canvas)):
        alone = engine.run(canvas[row : row + 1], present[row : row + 1])
        np.testing.assert_array_equal(alone.probability, together.probability[row : row + 1])
        np.testing.assert_array_equal(alone.map, together.map[row : row + 1])


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_answers_its_examples(folder: Path) -> None:
    """Every example gets a probability and a map that an engine may give out, alike from both."""
    manifest = load(folder)
    engine, reference = (open_engine(manifest.run_by(EngineChoice(name=each))) for each in ENGINES)
    for path in sorted((folder / "examples").glob("*.dcm")):
        canvas = np.stack([canvas_view(view) for view in dcmread(path).pixel_array.astype(np.float32)])[None]
        present = np.ones((1, 2), np.float32)
        told, expected = engine.run(canvas, present), reference.run(canvas, present)
        np.testing.assert_allclose(told.probability, expected.probability, atol=manifest.tolerance.probability)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("models", GENERATORS, ids=lambda models: "generator")
def test_a_shipped_generator_passes_its_gate_and_ignores_company(models: Path, name: EngineName) -> None:
    """It reproduces its golden scans, and a scan has the same bits alone, among others, and at another place."""
    manifest = load_generator(models)
    generator = open_generator(manifest, manifest.engine.model_copy(update={"name": name}))
    check_golden_scans(generator, manifest)
    with np.load(manifest.folder / manifest.golden) as golden:
        given = [golden[name] for name in INPUTS]
    together = generator.run(*given)
    turned = generator.run(*(np.roll(values, 1, axis=0) for values in given))
    np.testing.assert_array_equal(np.roll(turned.rate, -1, axis=0), together.rate)
    for row in range(len(together.rate)):
        alone = generator.run(*(values[row : row + 1] for values in given))
        np.testing.assert_array_equal(alone.rate[0], together.rate[row])
        np.testing.assert_array_equal(alone.embedding[0], together.embedding[row])
