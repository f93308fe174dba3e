"""What does the way to the engine cost? The servers of benchmarks.serving with a model that is next to nothing.

`python -m benchmarks.front [--quick] [--json FILE]`, from the repository's root. The model averages the pixels, so what
is left is HTTP, what a server does to a body, and its queue. Everybody gets the same 1.05 MB of raw values (one canvas
of float32; the contract of our classifiers knows no smaller scan), but BentoML's own batching, which takes no raw body:
there they are a file in a form. Ours is also asked for 8 and 32 scans in one request, as bulk clients ask.
"""

import json
import statistics
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.contest import LOADS, Contest, Goal, hold, parser, show, told
from benchmarks.provenance import provenance
from benchmarks.servers import PYTRITON
from benchmarks.turns import throughput
from tests.graphs import model_folder

BULK = (8, 32)
"""Scans in one request of a client that has many."""


def main() -> None:
    """Run, print one table, and write JSON on request."""
    arguments, screen = parser((__doc__ or "").splitlines()[0]).parse_args(), Console()
    with tempfile.TemporaryDirectory() as folder:
        contest = hold(model_folder(Path(folder)), arguments, screen, bulk=BULK)
    goals = goals_of(contest)
    report = headline(goals) | told(contest, goals)
    report |= provenance("scintiflow", "openvino", "bentoml", "starlette", "uvicorn", "numpy")
    show(contest, goals, "A model that is next to nothing, served", screen)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def headline(goals: list[Goal]) -> dict[str, float]:
    """Return the worst of the loads; nothing where PyTriton did not run."""
    medians = [statistics.median(goal.values) for goal in goals]
    return {"throughput_ratio_to_pytriton": min(medians)} if medians else {}


def goals_of(contest: Contest) -> list[Goal]:
    """Return what the front is held to: as many scans a second as PyTriton answers."""
    if PYTRITON not in contest.rivals():
        return []
    return [
        Goal(f"throughput, {load}, over {PYTRITON}'s", contest.ratios(load, PYTRITON, throughput), least=1.0)
        for load in LOADS
    ]


if __name__ == "__main__":
    main()
