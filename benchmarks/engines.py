"""How fast is each engine of this machine, in each precision and in batches?

`python -m benchmarks.engines [--model DIR] [--batches N,...] [--quick] [--json FILE]`, from the repository's root, on a
machine that does nothing else. Everything takes turns in one run, so what carries over is the ratio to ONNX Runtime in
float32 on the CPU with one scan at a time, which is what somebody gets who exports a graph and runs it. TFLOP/s count
the multiplications and additions of the graph's convolutions and products of matrices; the peak is what products of
large matrices reach in the same rounds, in bf16 on a CPU, in f16 on a GPU. Beside the engines of the project, which are
measured only where they reproduce the model's golden outputs, a GPU runs what else one would pick: ONNX Runtime as it
comes, and torch.compile.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.contender import Contender, Run
from benchmarks.contenders import Batches, baseline, engines, peaks, served
from benchmarks.contest import Goal, summary
from benchmarks.provenance import provenance
from benchmarks.subject import subject
from tests.stack import SHIPPED

LEAST = {"bf16": 8.0, "int8": 15.0}
"""Precision -> how many times as fast as the baseline it should be, one scan at a time."""
_COARSE = 10  # milliseconds, from which on nobody asks for parts of one
_REST_SECONDS = 0.02  # threads of the one before spin on for a moment


@dataclass(frozen=True)
class Plan:
    """How often each is measured, and in which batches."""

    rounds: int
    batches: Batches


FULL = Plan(7, Batches((1, 4, 8), (1, 4, 16, 64, 256)))
QUICK = Plan(2, Batches((1, 4), (1, 16)))

Case = tuple[Contender, int]
"""Who runs, and how many rows at a time."""


@dataclass(frozen=True)
class Result:
    """An engine with batches of one size, and what was measured in the same rounds: rows a second, a value a round."""

    contender: Contender
    rows: int
    rates: Sequence[float]
    baseline: Sequence[float]
    peak: Sequence[float] = ()
    """In operations a second; empty where there is none."""

    def ratios(self) -> list[float]:
        """Return how many times as many scans a second as the baseline's, one at a time."""
        return [rate / base for rate, base in zip(self.rates, self.baseline, strict=True)]

    def figures(self) -> dict[str, Any]:
        """Return what was found, as medians; of the milliseconds also the range."""
        taken = [1e3 * self.rows / rate for rate in self.rates]
        rate, flop = statistics.median(self.rates), self.contender.flop
        shares = [flop * rate / peak for rate, peak in zip(self.rates, self.peak, strict=False)]
        return {
            "ms": statistics.median(taken),
            "ms_min": min(taken),
            "ms_max": max(taken),
            "scans_a_second": rate,
            "tflops": rate * flop / 1e12,
            "share_of_peak": statistics.median(shares) if shares else None,
            "ratio_to_ort_fp32_batch1": statistics.median(self.ratios()),
        }


def main() -> None:
    """Run, print one table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED / "metastasis", metavar="DIR", help="its folder")
    parser.add_argument("--batches", type=_sizes, metavar="N,...", help="these sizes, on a CPU and on a GPU")
    parser.add_argument("--quick", action="store_true", help="2 rounds with few sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    model, screen, plan = subject(arguments.model.resolve()), Console(), QUICK if arguments.quick else FULL
    manifest, flop, ours = model.manifest, operations(model.manifest.graph()), served(model)
    batches = Batches(arguments.batches, arguments.batches) if arguments.batches else plan.batches
    base = baseline(model, flop, batches.cpu)
    results = measure(base, engines(model, flop, batches, screen), peaks(), plan.rounds, screen)
    goals = goals_of(results)
    show(results, goals, f"{manifest.name} {manifest.version}, {flop / 1e9:.0f} GFLOP a scan", screen)
    if arguments.json:
        report = headline(results, ours) | {"goals": [goal.told() for goal in goals]}
        report |= {"model": manifest.name, "digest": manifest.digest, "gflop_a_scan": flop / 1e9}
        report |= {"ways": {f"{each.contender.name}, batch {each.rows}": each.figures() for each in results}}
        report |= provenance("openvino", "onnxruntime", "onnxruntime-gpu", "torch", "numpy")
        arguments.json.write_text(json.dumps(report, indent=1))


def measure(
    base: Contender, contenders: Sequence[Contender], tops: Sequence[Contender], rounds: int, screen: Console
) -> list[Result]:
    """Measure one size of batches after the other: sessions for all of them would not fit into memory together."""
    everybody = [base, *contenders]
    results = []
    for rows in track(sorted({rows for each in everybody for rows in each.rows}), "batches", console=screen):
        present = [(each, rows) for each in everybody if rows in each.rows]
        beside = [(each, size) for each in tops for size in each.rows]
        found = in_turns(dict.fromkeys([(base, 1), *beside, *present]), rounds, screen)
        top = {
            each.on_gpu: [rate * each.flop for rate in found[each, size]]
            for each, size in beside
            if (each, size) in found
        }
        results += [
            Result(each, rows, found[each, rows], found[base, 1], top.get(each.on_gpu, ()))
            for each, rows in present
            if (each, rows) in found
        ]
    return results


def in_turns(cases: Iterable[Case], rounds: int, screen: Console) -> dict[Case, list[float]]:
    """Open all, and return the rows a second of each, a value a round; who cannot run so many rows is left out."""
    runs = _opened(cases, screen)
    rates: dict[Case, list[float]] = {case: [] for case in runs}
    for _ in range(rounds):
        for case, run in runs.items():
            time.sleep(_REST_SECONDS)
            rates[case].append(case[1] / timed(run))
    return rates


def _opened(cases: Iterable[Case], screen: Console) -> dict[Case, Run]:
    """Open what can run so many rows, and let it do so once; say of the rest why not."""
    runs: dict[Case, Run] = {}
    for contender, rows in cases:
        try:
            run = contender.open(rows)
            run()
        except Exception as error:  # ONNX Runtime and torch have errors of their own for each of their faults
            why = (str(error).strip().splitlines() or ["It does not say why."])[0]
            screen.print(f"Left out: {contender.name}, batch {rows}. {why[:200]}", style="dim", markup=False)
        else:
            runs[contender, rows] = run
    return runs


def operations(graph: bytes) -> float:
    """Return multiplications and additions of a graph's convolutions and products of matrices for one scan."""
    model = onnx.load_model_from_string(graph)
    for port in model.graph.input:
        port.type.tensor_type.shape.dim[0].dim_value = 1
    told = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: [size.dim_value or 1 for size in value.type.tensor_type.shape.dim]
        for value in (*told.value_info, *told.input, *told.output)
    } | {weight.name: list(weight.dims) for weight in told.initializer}
    work = [node for node in told.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    return float(sum(2 * np.prod(shapes[node.output[0]]) * _summed(node, shapes) for node in work))


def _summed(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> float:
    """Return how many products are added up for each number that a node gives."""
    if node.op_type == "Conv":
        return float(np.prod(shapes[node.input[1]][1:]))
    return shapes[node.input[0]][-1]


def _sizes(told: str) -> tuple[int, ...]:
    """Read sizes of batches; one scan at a time is what everything is compared by."""
    sizes = {1, *map(int, told.split(","))}
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError("a batch holds one scan or more")
    return tuple(sorted(sizes))


def timed(run: Run) -> float:
    """Return how long something takes, in seconds."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def one_at_a_time(results: Sequence[Result], precision: str) -> Result | None:
    """Return OpenVINO's result in a precision with one scan at a time, if there is one."""
    found = (each for each in results if each.rows == 1 and each.contender.name.startswith("openvino"))
    return next((each for each in found if each.contender.precision == precision), None)


def headline(results: Sequence[Result], served: str) -> dict[str, Any]:
    """Return the ratio of what is served, and of each precision that is held to one, with one scan at a time."""
    first = next((each for each in results if (each.contender.name, each.rows) == (served, 1)), None)
    told = {"ratio_to_ort_fp32_batch1": first and statistics.median(first.ratios()), "served": served}
    for precision in LEAST:
        found = one_at_a_time(results, precision)
        told[f"{precision}_batch1"] = None if found is None else summary(found.ratios())
    return told


def goals_of(results: Sequence[Result]) -> list[Goal]:
    """Return what the engines of a CPU are held to; a precision that did not run is not."""
    found = {precision: one_at_a_time(results, precision) for precision in LEAST}
    return [
        Goal(f"speed, {precision}, one scan at a time, over ONNX Runtime's in f32", each.ratios(), LEAST[precision])
        for precision, each in found.items()
        if each is not None
    ]


def show(results: Sequence[Result], goals: Sequence[Goal], title: str, screen: Console) -> None:
    """Print the table, and which goals are held."""
    table = Table("engine", "batch", "ms", "min", "max", "scans/s", "TFLOP/s", "of peak", "ratio", title=title)
    for each in results:
        told = each.figures()
        table.add_row(
            each.contender.name,
            str(each.rows),
            *(f"{told[name]:.{0 if told[name] > _COARSE else 2}f}" for name in ("ms", "ms_min", "ms_max")),
            f"{told['scans_a_second']:.1f}",
            f"{told['tflops']:.2f}",
            "" if told["share_of_peak"] is None else f"{told['share_of_peak']:.0%}",
            f"{told['ratio_to_ort_fp32_batch1']:.1f}",
        )
    screen.print(table)
    for goal in goals:
        screen.print(goal.sentence())


if __name__ == "__main__":
    main()
