"""What the speed of an engine is compared with."""

from io import StringIO
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail
from rich.console import Console

from benchmarks.contender import Contender, Run, noise
from benchmarks.contenders import Batches, baseline, engines, peaks, plain_cuda, served
from benchmarks.engines import Result, goals_of, headline, in_turns, measure, operations
from benchmarks.provenance import provenance
from benchmarks.subject import subject
from benchmarks.torch_contenders import compiled, gpu_peak, workshop_network
from scintiflow.errors import Refused
from tests.graphs import generator_folder, model_folder
from tests.stack import SHIPPED

QUIET = Console(quiet=True)
ONE = Batches((1,), (1,))
OPENVINO = {precision: f"openvino 1 {precision}, CPU" for precision in ("f32", "bf16", "int8")}


def contender(name: str, precision: str) -> Contender:
    """An engine that does nothing."""
    return Contender(name, precision, (1, 8), flop=2e9, open=lambda _: lambda: None)


def results(**rates: float) -> list[Result]:
    """OpenVINO in each precision, at so many times the baseline, and in batches of 8 ten times as fast."""
    return [
        Result(contender(OPENVINO[precision], precision), rows, [rate * rows * 1.25] * 3, [1.0] * 3, [4e12] * 3)
        for precision, rate in rates.items()
        for rows in (1, 8)
    ]


def test_the_headline_is_what_is_served_with_one_scan_at_a_time() -> None:
    """Neither a larger batch nor a faster precision that nobody is served with makes the first figure larger."""
    told = headline(results(f32=1.0, bf16=8.0, int8=16.0), OPENVINO["bf16"])
    assert next(iter(told)) == "ratio_to_ort_fp32_batch1"
    assert (told["ratio_to_ort_fp32_batch1"], told["served"]) == (10.0, OPENVINO["bf16"])
    assert (told["bf16_batch1"]["median"], told["int8_batch1"]["median"]) == (10.0, 20.0)


def test_a_precision_that_this_machine_has_not_is_no_figure() -> None:
    """It is null in the headline, and no goal is held or missed with it."""
    found = results(f32=1.0)
    assert headline(found, OPENVINO["f32"])["bf16_batch1"] is None
    assert goals_of(found) == []


def test_bf16_is_held_to_eight_and_int8_to_fifteen() -> None:
    """Each is judged by its own bound, one scan at a time."""
    assert [goal.met() for goal in goals_of(results(bf16=6.4, int8=11.9))] == [True, False]
    assert [goal.least for goal in goals_of(results(bf16=6.4, int8=11.9))] == [8.0, 15.0]


def test_the_share_of_the_peak_is_of_the_same_round() -> None:
    """A round in which the machine is slow has a low peak, too."""
    found = Result(contender("any", "bf16"), 1, [500.0, 250.0], [1.0, 1.0], [2e12, 1e12])
    assert found.figures()["share_of_peak"] == 0.5


def test_one_size_of_batches_is_open_at_a_time() -> None:
    """What a GPU needs for 256 rows does not lie beside what it needs for 64."""
    opened: list[int] = []

    def note(rows: int) -> None:
        opened.append(rows)

    noted = Contender("any", "f32", (8, 1), 1.0, lambda rows: lambda: note(rows))
    measure(contender("base", "f32"), [noted], [], 2, QUIET)
    assert opened == [1, 1, 1, 8, 8, 8]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Refused("No GPU."), "No GPU."),
        (RuntimeError("CUDNN failure 3000\nand more words"), "CUDNN failure 3000"),
        (Fail("Non-zero status code"), "Non-zero status code"),
        (RuntimeError(), "It does not say why."),
    ],
)
def test_a_batch_that_is_too_large_costs_nobody_else_a_figure(fault: Exception, told: str) -> None:
    """Who cannot run so many rows is left out at that size, and why is printed; all others are measured."""

    def large(rows: int) -> Run:
        if rows == 8:
            raise fault
        return lambda: None

    screen = Console(record=True, file=StringIO(), width=200)
    strict, top = (Contender(name, "f32", (1, 8), 1.0, large) for name in ("strict", "top"))
    found = measure(contender("base", "f32"), [strict], [top], 2, screen)
    assert [(each.contender.name, each.rows) for each in found] == [("base", 1), ("strict", 1), ("base", 8)]
    assert f"Left out: strict, batch 8. {told}\n" in screen.export_text()


def test_what_is_served_may_be_left_out() -> None:
    """The others' figures are kept, and the headline has none."""
    assert headline(results(f32=1.0), "onnxruntime 1 f16, GPU")["ratio_to_ort_fp32_batch1"] is None


def test_everything_that_the_benchmark_opens_on_this_machine_runs(tmp_path: Path) -> None:
    """OpenVINO takes turns with ONNX Runtime as it comes and, where there is bf16, with products of matrices."""
    model = subject(model_folder(tmp_path))
    found = engines(model, 1.0, ONE, QUIET)
    rates = in_turns(
        [
            (baseline(model, 1.0, (1,)), 1),
            *((each, each.rows[0]) for each in peaks()),
            *((each, 1) for each in found),
        ],
        1,
        QUIET,
    )
    assert all(rate > 0 for (rate,) in rates.values())
    assert any(each.name.startswith("openvino") for each in found)


def test_a_generator_is_measured_like_a_classifier(tmp_path: Path) -> None:
    """Its engines pass its own golden gate and run on noise and conditions; what is served is among them."""
    model = subject(generator_folder(tmp_path))
    found = engines(model, 1.0, ONE, QUIET)
    assert served(model) in [each.name for each in found]
    rates = in_turns([(each, 1) for each in (baseline(model, 1.0, (1,)), *found)], 1, QUIET)
    assert all(rate > 0 for (rate,) in rates.values())


def test_operations_are_of_one_scan() -> None:
    """A convolution over both views counts twice, and a product of matrices for each of its sums."""
    views = helper.make_tensor_value_info("views", TensorProto.FLOAT, ["N", 2, 8, 8])
    weights = {"kernel": np.ones((3, 1, 3, 3), np.float32), "matrix": np.ones((192, 5), np.float32)}
    shapes = {"apart_as": np.array([-1, 1, 8, 8]), "rows_as": np.array([-1, 192])}
    nodes = [
        helper.make_node("Reshape", ["views", "apart_as"], ["apart"]),
        helper.make_node("Conv", ["apart", "kernel"], ["seen"], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["seen", "rows_as"], ["rows"]),
        helper.make_node("MatMul", ["rows", "matrix"], ["found"]),
    ]
    kept = [numpy_helper.from_array(values, name) for name, values in (weights | shapes).items()]
    found = helper.make_tensor_value_info("found", TensorProto.FLOAT, None)
    graph = helper.make_model(helper.make_graph(nodes, "views", [views], [found], kept))
    assert operations(graph.SerializeToString()) == 2 * (2 * 3 * 8 * 8) * 9 + 2 * (2 * 5) * 192


def test_a_package_that_is_not_installed_has_no_version() -> None:
    """With the extra gpu ONNX Runtime has another name, and OpenVINO is not there."""
    versions = provenance("numpy", "no-such-package")["packages"]
    assert versions == {"numpy": np.__version__, "no-such-package": None}


@pytest.mark.parametrize("name", ["metastasis", "cardiac", "generator"])
def test_what_torch_compiles_is_what_engines_load(name: str) -> None:
    """The workshop's network, of random weights, takes the inputs of the shipped graph and gives as much."""
    model = subject(SHIPPED / name)
    given = noise(model.inputs, 1)
    session = onnxruntime.InferenceSession(model.manifest.graph(), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        found = workshop_network(model, "cpu")(*map(torch.from_numpy, given.values()))
    taken = {port.name: given[port.name] for port in session.get_inputs()}
    assert [tuple(each.shape) for each in found] == [each.shape for each in session.run(None, taken)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_needs_a_gpu_is_left_out_without_one(tmp_path: Path) -> None:
    """Nothing of it is measured, and each says what is missing."""
    model = subject(model_folder(tmp_path))
    for way in (lambda: plain_cuda(model, 1.0, (1,)), lambda: compiled(model, 1.0, (1,)), gpu_peak):
        with pytest.raises(Refused):
            way()
    assert not any(each.on_gpu for each in (*peaks(), *engines(model, 1.0, ONE, QUIET)))
