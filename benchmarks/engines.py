"""How fast is each engine of this machine, in each precision and in batches?

`python -m benchmarks.engines [--model DIR] [--quick] [--json FILE]`, from the repository's root, on a machine that does
nothing else. Everything takes turns in one run, so what carries over is the ratio to ONNX Runtime in float32 on the CPU
with one scan at a time, which is what somebody gets who exports a graph and runs it. TFLOP/s count the multiplications
and additions of the graph's convolutions. An engine that does not reproduce the model's golden outputs is not measured.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.provenance import provenance
from scintiflow.errors import Refused
from scintiflow.inference.engine import INPUTS, check_golden, open_engine
from scintiflow.inference.manifest import EngineChoice, Manifest, load
from scintiflow.inference.session import Session, open_sessions
from tests.stack import SHIPPED

BASELINE = EngineChoice(name="onnxruntime", precision="f32")
OTHERS = (
    EngineChoice(name="openvino", precision="f32"),
    EngineChoice(name="openvino", precision="bf16"),
    EngineChoice(name="openvino", precision="int8"),
    EngineChoice(name="onnxruntime", precision="f32", device="cuda"),
    EngineChoice(name="onnxruntime", precision="f16", device="cuda"),
    EngineChoice(name="onnxruntime", precision="f16", device="tensorrt"),
)


@dataclass(frozen=True)
class Plan:
    """How often each is measured, and in which batches."""

    rounds: int
    batches: tuple[int, ...]


FULL = Plan(7, (1, 4, 8))
QUICK = Plan(2, (1, 4))
ON_GPU = (1, 4, 16, 64, 256)


@dataclass(frozen=True)
class Way:
    """A graph on an engine, for batches of so many scans."""

    name: str
    rows: int
    run: Callable[[], object]


def main() -> None:
    """Run, print one table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED / "metastasis", metavar="DIR", help="its folder")
    parser.add_argument("--quick", action="store_true", help="2 rounds with batches of 1 and 4")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    manifest, screen = load(arguments.model), Console()
    ways = opened(manifest, QUICK if arguments.quick else FULL, screen)
    seconds = measure(ways, QUICK if arguments.quick else FULL)
    flops = operations(manifest.graph())
    show(manifest, ways, seconds, flops, screen)
    if arguments.json:
        figures = {f"{way.name}, batch {way.rows}": _figures(way, ways, seconds, flops) for way in ways}
        fastest = max(figure["ratio_to_ort_fp32_batch1"] for figure in figures.values())
        report = {"ratio_to_ort_fp32_batch1": fastest, "model": manifest.name, "digest": manifest.digest}
        report |= {"gflop_a_scan": flops / 1e9, "ways": figures}
        arguments.json.write_text(json.dumps(report | provenance("openvino", "onnxruntime", "numpy"), indent=1))


def opened(manifest: Manifest, plan: Plan, screen: Console) -> list[Way]:
    """Open everything that this machine has and that reproduces the golden outputs; say of the rest why not.

    Raises:
        Refused: the baseline itself does not.
    """
    ways = openings(manifest, BASELINE, plan)
    for choice in OTHERS:
        try:
            ways += openings(manifest, choice, plan)
        except Refused as refused:
            said = f"Left out: {choice.name}, {choice.precision}, {choice.device}. {refused}"
            screen.print(said, style="dim", markup=False)
    return ways


def openings(manifest: Manifest, choice: EngineChoice, plan: Plan) -> list[Way]:
    """Open one engine for each size of batches, once it has passed the golden gate."""
    manifest = manifest.run_by(choice)
    engine = open_engine(manifest)
    check_golden(engine, manifest)
    facts = engine.describe()
    sizes = plan.batches if choice.device == "cpu" else ON_GPU
    sessions = open_sessions(manifest.graph(), choice, lambda _: sizes)
    name = f"{facts.engine} {facts.precision}, {facts.device}"
    return [Way(name, rows, runner(session, rows)) for rows, session in sessions.items()]


def runner(session: Session, rows: int) -> Callable[[], object]:
    """Return what runs a batch of noise; how long an engine takes does not depend on what is in the picture."""
    chance = np.random.default_rng(1)
    given = {name: chance.random((rows, *INPUTS[name]), np.float32) for name in session.inputs}
    return lambda: session.run(given)


def measure(ways: list[Way], plan: Plan) -> dict[Way, list[float]]:
    """Return the seconds of each way, a value a round, in turns."""
    seconds = {way: list[float]() for way in ways}
    for way in ways:
        way.run()
    for _ in track(range(plan.rounds), "rounds"):
        for way in ways:
            seconds[way].append(timed(way.run))
    return seconds


def operations(graph: bytes) -> float:
    """Return multiplications and additions of a graph's convolutions for one scan."""
    told = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(graph), data_prop=True).graph
    shapes = {
        value.name: [size.dim_value or 1 for size in value.type.tensor_type.shape.dim]
        for value in (*told.value_info, *told.input, *told.output)
    } | {weight.name: list(weight.dims) for weight in told.initializer}
    convolutions = [node for node in told.node if node.op_type == "Conv"]
    return float(sum(2 * np.prod(shapes[node.output[0]]) * np.prod(shapes[node.input[1]][1:]) for node in convolutions))


def timed(run: Callable[[], object]) -> float:
    """Return how long something takes, in seconds."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _figures(way: Way, ways: list[Way], seconds: dict[Way, list[float]], flops: float) -> dict[str, float]:
    base, took = seconds[ways[0]], statistics.median(seconds[way])
    return {
        "ms": 1e3 * took,
        "ms_min": 1e3 * min(seconds[way]),
        "ms_max": 1e3 * max(seconds[way]),
        "scans_a_second": way.rows / took,
        "tflops": way.rows * flops / took / 1e12,
        "ratio_to_ort_fp32_batch1": statistics.median(
            way.rows * one / ours for one, ours in zip(base, seconds[way], strict=True)
        ),
    }


def show(manifest: Manifest, ways: list[Way], seconds: dict[Way, list[float]], flops: float, screen: Console) -> None:
    """Print the table."""
    title = f"{manifest.name} {manifest.version}, {flops / 1e9:.0f} GFLOP a scan"
    table = Table("engine", "batch", "ms", "min", "max", "scans/s", "TFLOP/s", "ratio", title=title)
    for way in ways:
        told = _figures(way, ways, seconds, flops)
        table.add_row(
            way.name,
            str(way.rows),
            *(f"{told[name]:.0f}" for name in ("ms", "ms_min", "ms_max")),
            f"{told['scans_a_second']:.1f}",
            f"{told['tflops']:.2f}",
            f"{told['ratio_to_ort_fp32_batch1']:.1f}",
        )
    screen.print(table)


if __name__ == "__main__":
    main()
