"""Shipped models on a GPU that is there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scintiflow.inference import generator, gpu
from scintiflow.inference.engine import Engine, check_golden, open_engine
from scintiflow.inference.generator_manifest import load_generator
from scintiflow.inference.manifest import GPU_PRECISIONS, Device, EngineChoice, Precision, folders, load
from scintiflow.inference.session import EngineFacts
from tests.graphs import scans

SHIPPED = Path(__file__).parents[3] / "models"
MODELS = folders(SHIPPED)
ON_CPU = 0.1
"""Share of a graph's nodes that may run elsewhere: a provider leaves what only counts shapes to the CPU."""


def ways() -> list[object]:
    """Devices and precisions; left out, with the reason, where what a device needs is not there."""
    return [
        pytest.param(device, precision, marks=[pytest.mark.gpu, pytest.mark.skipif(bool(reason), reason=reason)])
        for device, precisions in GPU_PRECISIONS.items()
        for reason in [gpu.missing(device)]
        for precision in precisions
    ]


WAYS = pytest.mark.parametrize(("device", "precision"), ways())


def opened(folder: Path, device: Device, precision: Precision, cache: Path) -> Engine:
    """Open a shipped model there."""
    return open_engine(
        load(folder).run_by(EngineChoice(name="onnxruntime", device=device, precision=precision)), cache=cache
    )


def assert_on_gpu(facts: EngineFacts, precision: Precision) -> None:
    """Require what was asked for, and that the GPU does the work."""
    assert (facts.precision, facts.device) == (precision, gpu.first_gpu().name)
    assert facts.nodes.get("CPUExecutionProvider", 0) <= ON_CPU * sum(facts.nodes.values())


@WAYS
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_passes_its_gate(folder: Path, device: Device, precision: Precision, tmp_path: Path) -> None:
    """It reproduces its golden outputs in every batch size, and the GPU runs at least nine tenths of its nodes."""
    engine = opened(folder, device, precision, tmp_path)
    check_golden(engine, load(folder))
    assert_on_gpu(engine.describe(), precision)


@WAYS
def test_the_generator_passes_its_gate(device: Device, precision: Precision, tmp_path: Path) -> None:
    """It draws its golden scans again, and the GPU runs at least nine tenths of its nodes."""
    manifest = load_generator(SHIPPED)
    choice = manifest.engine.model_copy(update={"name": "onnxruntime", "device": device, "precision": precision})
    draws = generator.open_generator(manifest, choice, cache=tmp_path)
    generator.check_golden(draws, manifest)
    assert_on_gpu(draws.describe(), precision)


@WAYS
def test_models_do_not_disturb_each_other(device: Device, precision: Precision, tmp_path: Path) -> None:
    """Asked from threads of their own, while another is being opened, all models answer as they do alone."""
    engines = [opened(folder, device, precision, tmp_path) for folder in MODELS]
    canvas, present = scans(21, seed=12)  # a batch of 16, and 5 in one of 8
    alone = [engine.run(canvas, present).probability for engine in engines]
    with ThreadPoolExecutor(len(engines) + 1) as threads:
        opening = threads.submit(opened, MODELS[0], device, precision, tmp_path)
        crowd = [threads.submit(engine.run, canvas, present) for _ in range(20) for engine in engines]
        opening.result()
        for place, asked in enumerate(crowd):
            np.testing.assert_array_equal(asked.result().probability, alone[place % len(engines)])


@WAYS
def test_the_same_scan_has_the_same_bits_after_a_restart(device: Device, precision: Precision, tmp_path: Path) -> None:
    """Opened twice, a model gives the same answers to the last bit."""
    canvas, present = scans(3, seed=13)
    first, second = (opened(MODELS[0], device, precision, tmp_path).run(canvas, present) for _ in range(2))
    np.testing.assert_array_equal(first.map, second.map)


@pytest.mark.gpu
@pytest.mark.skipif(bool(gpu.missing("tensorrt")), reason=gpu.missing("tensorrt") or "TensorRT is there")
def test_a_torn_engine_is_built_again(tmp_path: Path) -> None:
    """What a crash left half written does not keep a model from starting."""
    opened(MODELS[0], "tensorrt", "f16", tmp_path)
    for file in (tmp_path / "tensorrt").glob("*/*.engine"):
        file.write_bytes(file.read_bytes()[:1000])
    check_golden(opened(MODELS[0], "tensorrt", "f16", tmp_path), load(MODELS[0]))
