"""`make models-quick`: the whole way from seeds to served models, small enough to be walked in a test."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scintiflow.inference.engine import check_golden, open_engine
from scintiflow.inference.manifest import EngineChoice, load

ROOT = Path(__file__).parents[2]


def quick(folder: Path) -> dict[str, dict[str, Any]]:
    """Run it into a folder, and return the numbers of each model."""
    subprocess.run(["make", "models-quick", f"QUICK={folder}"], cwd=ROOT, check=True, capture_output=True)
    return {path.parts[-3]: json.loads(path.read_text()) for path in folder.glob("trained/*/*/validation.json")}


@pytest.mark.slow
def test_one_seed_gives_the_same_models_twice(tmp_path: Path) -> None:
    """Patients, weights, thresholds and areas are equal to the last bit in two runs, and what is made can be served."""
    first, second = quick(tmp_path / "first"), quick(tmp_path / "second")
    assert first.keys() == {"metastasis", "cardiac"}
    assert first == second
    for name in first:
        manifest = load(tmp_path / "first" / name)
        assert manifest.digest == load(tmp_path / "second" / name).digest
        check_golden(
            open_engine(manifest.run_by(EngineChoice(name="onnxruntime"))), manifest
        )  # nearly random weights are not for bfloat16
