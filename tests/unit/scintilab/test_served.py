"""What the served classifiers and their example studies promise."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

import scintilab.cardiac.__main__ as cardiac
import scintilab.metastasis.__main__ as metastasis
from scintiflow.inference.manifest import folders, load
from scintilab.examples import example, numbers

MODELS = Path(__file__).parents[3] / "models"
WORKSHOPS = {"metastasis": metastasis, "cardiac": cardiac}


def served(folder: Path) -> object:
    """A folder whose model this workshop made; an earlier one is kept until `make models` has run."""
    version = load(folder).version
    mark = pytest.mark.skipif(
        version != WORKSHOPS[folder.name].DESCRIPTION.version,
        reason=f"{folder.name} {version} was made by an earlier workshop: make models",
    )
    return pytest.param(folder, id=folder.name, marks=mark)


SERVED = pytest.mark.parametrize("folder", [served(folder) for folder in folders(MODELS)])

Arrays = dict[str, NDArray[np.float32]]


def golden(folder: Path) -> Arrays:
    """Golden inputs and outputs."""
    return {name: array.astype(np.float32) for name, array in np.load(folder / "golden.npz").items()}


def run(folder: Path, canvas: NDArray[np.float32], present: NDArray[np.float32]) -> Arrays:
    """Run a served graph in float32."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"canvas": canvas, "present": present}), strict=True))


@SERVED
def test_graph_honours_the_contract(folder: Path) -> None:
    """Two inputs, three outputs, only the batch is free, and an opset that TensorRT reads."""
    graph = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    shapes = {
        value.name: [size.dim_value or "N" for size in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.input, *graph.graph.output)
    }
    rows, cols = shapes.pop("map")[2:]
    assert shapes == {
        "canvas": ["N", 2, 512, 256],
        "present": ["N", 2],
        "probability": ["N", 1],
        "logit": ["N", 1],
    }
    assert (rows, cols) == {"metastasis": (32, 32), "cardiac": (64, 32)}[folder.name]
    assert graph.opset_import[0].version <= 20


def test_everything_served_is_small() -> None:
    """Weights, golden outputs and examples of all models together are below 64 MB."""
    served = [path for folder in folders(MODELS) for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in served) < 64_000_000


@SERVED
def test_probability_is_that_of_the_logit(folder: Path) -> None:
    """The probability is the logistic function of the logit, and no map is below nought."""
    kept = golden(folder)
    np.testing.assert_allclose(kept["probability"], 1 / (1 + np.exp(-kept["logit"])), atol=1e-5)
    assert kept["map"].min() >= 0


@SERVED
def test_absent_view_adds_nothing(folder: Path) -> None:
    """With `present` 0 for the posterior view its pixels do not count, and its half of the map is empty."""
    kept = golden(folder)
    answer = run(folder, kept["canvas"][1:2], np.array([[1, 0]], np.float32))
    assert not answer["map"][..., answer["map"].shape[3] // 2 :].any()
    np.testing.assert_allclose(answer["logit"][0], kept["logit"][2], atol=1e-4)


@SERVED
def test_counting_longer_changes_nothing(folder: Path) -> None:
    """Each view is scaled by itself: all counts doubled give the same answer."""
    kept = golden(folder)
    answer = run(folder, 2 * kept["canvas"], kept["present"])
    np.testing.assert_allclose(answer["logit"], kept["logit"], atol=0.01)


@SERVED
def test_card_says_what_is_served(folder: Path) -> None:
    """The card warns, names its evidence, and quotes the threshold and version of the manifest beside it."""
    manifest, card = load(folder), (folder / "CARD.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {manifest.name} {manifest.version}\n")
    for words in (
        "AI result, not for diagnostic use, research only",
        "simulated patients",
        f"threshold, {manifest.threshold},",
    ):
        assert words in card


@SERVED
def test_examples_are_small_and_marked_synthetic(folder: Path) -> None:
    """Each study is another patient's, losslessly compressed, below 300 KB, and not to be taken for a person."""
    paths = sorted((folder / "examples").glob("*.dcm"))
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]
    kinds, each = sorted(WORKSHOPS[folder.name].KINDS), {"metastasis": 4, "cardiac": 2}[folder.name]
    assert [path.stem for path in paths] == [f"{kind}-{place}" for kind in kinds for place in range(1, each + 1)]
    assert len({header.StudyInstanceUID for header in headers}) == len(paths)
    assert len({header.PatientID for header in headers}) == len(paths)
    assert max(path.stat().st_size for path in paths) < 300_000
    for header in headers:
        assert header.SyntheticData == "YES"
        assert str(header.PatientName).startswith("Simulated^")
        assert header.file_meta.TransferSyntaxUID.is_compressed
        assert [detector.StartAngle for detector in header.DetectorInformationSequence] == [180, 0]


@SERVED
def test_examples_can_be_rebuilt(folder: Path) -> None:
    """The phantom still makes the scans that are in the files (pixels may differ only by the machine's rounding)."""
    workshop = WORKSHOPS[folder.name]
    for kind, is_one in workshop.KINDS.items():
        fresh = example(next(numbers(is_one, workshop.FIRST_EXAMPLE)))
        kept = dcmread(folder / "examples" / f"{kind}-1.dcm")
        assert fresh.StudyInstanceUID == kept.StudyInstanceUID
        assert np.mean(fresh.pixel_array != kept.pixel_array) < 5e-3  # 0.0017 between an AMD and an Intel
