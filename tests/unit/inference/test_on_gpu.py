"""Shipped models on a GPU that is there."""

from pathlib import Path

import numpy as np
import pytest

from scintiflow.inference import gpu
from scintiflow.inference.engine import BUCKETS, check_golden, open_engine
from scintiflow.inference.manifest import Device, EngineChoice, Precision, folders, load
from tests.graphs import scans

MODELS = folders(Path(__file__).parents[3] / "models")
DEVICES: list[Device] = ["cuda", "tensorrt"]


def on_gpu(device: Device) -> object:
    """A device, left out where what it needs is not there."""
    reason = gpu.missing(device)
    return pytest.param(device, marks=[pytest.mark.gpu, pytest.mark.skipif(bool(reason), reason=reason)])


@pytest.mark.parametrize("precision", ["f16", "f32"])
@pytest.mark.parametrize("device", [on_gpu(device) for device in DEVICES])
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_passes_its_gate_on_the_gpu(
    folder: Path, device: Device, precision: Precision, tmp_path: Path
) -> None:
    """It reproduces its golden outputs, every batch size gives the same answers, and all that counts runs there."""
    manifest = load(folder)
    choice = EngineChoice(name="onnxruntime", device=device, precision=precision)
    engine = open_engine(manifest, choice, cache=tmp_path)
    check_golden(engine, manifest)
    canvas, present = scans(max(BUCKETS[device]) + 3, seed=11)
    together = engine.run(canvas, present)
    for row in (0, len(canvas) - 1):
        alone = engine.run(canvas[row : row + 1], present[row : row + 1])
        np.testing.assert_allclose(
            alone.probability, together.probability[row : row + 1], atol=manifest.tolerance.probability
        )
    facts = engine.describe()
    assert facts.precision == precision
    assert facts.device == gpu.first_gpu().name
    assert sum(count for name, count in facts.nodes.items() if "CPU" not in name) > 0.9 * sum(facts.nodes.values())
