"""What the served metastasis classifier and its example studies promise."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from scintiflow.inference.engine import check_golden, open_engine
from scintiflow.inference.manifest import Precision, load
from scintilab.evaluate import area_under_curve, best_threshold, bootstrap, sensitivity, specificity
from scintilab.metastasis.evaluate import points_at
from scintilab.metastasis.examples import example

FOLDER = Path(__file__).parents[3] / "models" / "metastasis"
EXAMPLES = sorted((FOLDER / "examples").glob("*.dcm"))

Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def golden() -> Arrays:
    """Golden inputs and outputs."""
    return dict(np.load(FOLDER / "golden.npz"))


def run(canvas: NDArray[np.float32], present: NDArray[np.float32]) -> Arrays:
    """Run the served graph in float32."""
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"canvas": canvas, "present": present}), strict=True))


def test_graph_honours_the_contract() -> None:
    """Two inputs, three outputs, only the batch is free, at most two million weights in at most 8 MB."""
    graph = onnx.load(FOLDER / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    shapes = {
        value.name: [size.dim_value or "N" for size in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.input, *graph.graph.output)
    }
    assert shapes == {
        "canvas": ["N", 2, 512, 256],
        "present": ["N", 2],
        "probability": ["N", 1],
        "logit": ["N", 1],
        "map": ["N", 1, 64, 32],
    }
    assert graph.opset_import[0].version <= 20
    assert sum(np.prod(weights.dims) for weights in graph.graph.initializer) <= 2_000_000
    assert (FOLDER / "model.onnx").stat().st_size <= 8_000_000


@pytest.mark.parametrize("precision", ["f32", "auto"])
def test_openvino_reproduces_the_golden_outputs(precision: Precision) -> None:
    """Probability and map stay within the manifest's tolerance in float32 and in what this CPU prefers."""
    manifest = load(FOLDER)
    check_golden(open_engine(manifest, "openvino", precision), manifest)


def test_map_is_the_answer(golden: Arrays) -> None:
    """The logit is a constant plus the sum of the map, whatever the scan: nothing else decides."""
    scans = np.random.default_rng(2).poisson(6, golden["canvas"].shape).astype(np.float32)
    for answer in (golden, run(scans, golden["present"])):
        rest = answer["logit"][:, 0] - answer["map"].sum(axis=(1, 2, 3), dtype=np.float64)
        np.testing.assert_allclose(rest, golden["logit"][0, 0] - golden["map"][0].sum(dtype=np.float64), atol=1e-3)
        assert answer["map"].min() >= 0
        np.testing.assert_allclose(answer["probability"], 1 / (1 + np.exp(-answer["logit"])), atol=1e-5)


def test_absent_view_adds_nothing(golden: Arrays) -> None:
    """Without a posterior view the right half of the map is zero, even if its pixels are not."""
    answer = run(golden["canvas"][1:2], np.array([[1, 0]], np.float32))
    assert not answer["map"][..., 16:].any()
    np.testing.assert_allclose(answer["map"][..., :16], golden["map"][1:2, ..., :16], atol=1e-5)


def test_neighbours_change_nothing(golden: Arrays) -> None:
    """A study gets the same answer alone and in a batch."""
    for row in range(len(golden["canvas"])):
        alone = run(golden["canvas"][row : row + 1], golden["present"][row : row + 1])
        np.testing.assert_allclose(alone["map"][0], golden["map"][row], atol=1e-5)


def test_counting_longer_changes_little(golden: Arrays) -> None:
    """Each view is scaled by itself: all counts doubled give the same answer."""
    answer = run(golden["canvas"] * 2, golden["present"])
    np.testing.assert_allclose(answer["logit"], golden["logit"], atol=0.01)


def test_card_says_what_is_served() -> None:
    """The card warns, names its evidence, and quotes the threshold and version of the manifest beside it."""
    manifest, card = load(FOLDER), (FOLDER / "CARD.md").read_text(encoding="utf-8")
    assert card.startswith(f"# metastasis {manifest.version}\n")
    for words in (
        "AI result, not for diagnostic use, research only",
        "simulated patients",
        f"threshold, {manifest.threshold},",
    ):
        assert words in card


def test_examples_are_small_and_marked_synthetic() -> None:
    """Eight studies of eight patients, losslessly compressed, each below 300 KB, none to be taken for a person."""
    headers = [dcmread(path, stop_before_pixels=True) for path in EXAMPLES]
    assert [path.stem for path in EXAMPLES] == [
        f"{what}-{n}" for what in ("metastases", "normal") for n in (1, 2, 3, 4)
    ]
    assert len({header.StudyInstanceUID for header in headers}) == len({header.PatientID for header in headers}) == 8
    assert max(path.stat().st_size for path in EXAMPLES) < 300_000
    for header in headers:
        assert header.SyntheticData == "YES"
        assert str(header.PatientName).startswith("Simulated^")
        assert header.file_meta.TransferSyntaxUID.is_compressed
        assert [detector.StartAngle for detector in header.DetectorInformationSequence] == [180, 0]


@pytest.mark.parametrize("path", EXAMPLES[::4], ids=lambda path: path.stem)
def test_examples_can_be_rebuilt(path: Path) -> None:
    """The phantom still makes the scan that is in the file (pixels may differ only by the machine's rounding)."""
    number, metastatic = int(path.stem[-1]), path.stem.startswith("metastases")
    fresh = example(number + 4 * metastatic, metastatic=metastatic)
    kept = dcmread(path)
    assert fresh.StudyInstanceUID == kept.StudyInstanceUID
    assert np.mean(fresh.pixel_array != kept.pixel_array) < 1e-3


def test_area_under_curve_counts_pairs() -> None:
    """The area is the share of sick-healthy pairs in the right order, ties half."""
    truth = np.array([True, True, False, False])
    assert area_under_curve(truth, np.array([0.9, 0.4, 0.4, 0.1])) == 3.5 / 4


def test_threshold_separates_what_can_be_separated() -> None:
    """Sensitivity and specificity at the chosen threshold are the best that scores allow."""
    truth = np.array([True, True, True, False, False, False])
    score = np.array([0.9, 0.8, 0.3, 0.4, 0.2, 0.1])
    threshold = best_threshold(truth, score)
    assert threshold in (0.3, 0.8)
    assert sensitivity(truth, score >= threshold) + specificity(truth, score >= threshold) == pytest.approx(5 / 3)


def test_interval_covers_the_estimate() -> None:
    """A bootstrap interval holds its estimate, and is the same every time."""
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.5
    score = truth + rng.normal(0, 1, 200)
    first, second = (bootstrap(area_under_curve, truth, score, resamples=200) for _ in range(2))
    assert first == second
    assert first.low < first.value < first.high


def test_pointing_sees_through_the_mirror() -> None:
    """A focus on the patient's left is found right of the middle from the front, left of it from behind."""
    left_focus = np.array([[256.0, 180.0]])
    for column, hit in ((180 // 16, True), ((511 - 180) // 16, True), (16 + 180 // 16, False)):
        evidence = np.zeros((64, 32), np.float32)
        evidence[32, column] = 1
        assert points_at(evidence, left_focus) is hit
