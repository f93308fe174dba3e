"""How near does the classifier service come to its bare engine, and how do other servers of the same engine do?

`python -m benchmarks.serving [--model DIR] [--bulk N] [--quick] [--json FILE]`, from the repository's root. LitServe,
bare Starlette, BentoML's own batching and PyTriton serve the same model with the same engine, and answer the same scan
to the same client (wrk) in turns, one, 8 and 32 at a time; then 200 clients ask at the same moment, once. Every server
stays up; whoever has had its turn has come to rest before the next. Everything shares the machine. What is measured is
a ratio to something in the same round: the bare engine is called in a loop beside every load.
"""

import json
import statistics
from pathlib import Path

from rich.console import Console

from benchmarks.contest import BURST, ENGINE, LOADS, Contest, Goal, falsely_refused, hold, parser, show, told
from benchmarks.provenance import provenance
from benchmarks.servers import OURS, STARLETTE
from benchmarks.turns import p99, throughput
from scintiflow.classifier.settings import ClassifierSettings
from tests.stack import SHIPPED

NEAR = 0.95
ADDED_MS = 5.0
BUSY = LOADS[1:]
"""Loads that never leave the engine without a scan."""


def main() -> None:
    """Run, print one table, and write JSON on request."""
    understood = parser((__doc__ or "").splitlines()[0])
    understood.add_argument("--model", type=Path, default=SHIPPED / "cardiac", metavar="DIR", help="its folder")
    understood.add_argument("--bulk", action="append", type=int, default=[], metavar="N", help="N scans a request, too")
    arguments, screen = understood.parse_args(), Console()
    contest = hold(arguments.model, arguments, screen, bulk=arguments.bulk)
    goals = goals_of(contest)
    report = headline(contest) | told(contest, goals)
    report |= provenance(
        "scintiflow", "openvino", "onnxruntime", "onnxruntime-gpu", "bentoml", "starlette", "uvicorn", "numpy"
    )
    show(contest, goals, f"{contest.manifest.name} {contest.manifest.version}, served", screen)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def headline(contest: Contest) -> dict[str, float]:
    """Return the worst of the loads that keep the engine busy, what the service adds to one scan, and its refusals."""
    return {
        "throughput_ratio_to_bare_engine": min(
            statistics.median(contest.ratios(load, ENGINE, throughput)) for load in BUSY
        ),
        "added_ms_p50": statistics.median(added_ms(contest)),
        "falsely_refused": refused(contest),
    }


def goals_of(contest: Contest) -> list[Goal]:
    """Return what the service is held to."""
    return [
        *(
            Goal(f"throughput, {load}, over the bare engine's", contest.ratios(load, ENGINE, throughput), least=NEAR)
            for load in BUSY
        ),
        Goal("what the service adds to one scan at a time, p50 in ms", added_ms(contest), most=ADDED_MS),
        Goal(f"scans of a {BURST} that were refused for nothing", [refused(contest)], most=0),
        *(goal for name in contest.rivals() for load in LOADS for goal in beside(contest, name, load)),
    ]


def added_ms(contest: Contest) -> list[float]:
    """Return how much longer than the bare engine the service takes for one scan at a time (p50), a value a round."""
    pairs = zip(contest.turns[LOADS[0], OURS], contest.turns[LOADS[0], ENGINE], strict=True)
    return [served.p50_ms - bare.p50_ms for served, bare in pairs]


def refused(contest: Contest) -> int:
    """Return how many scans of the bursts our service refused although there was time for them."""
    patience = ClassifierSettings().deadline_seconds
    return falsely_refused(contest.turns[BURST, OURS], engine_ms=contest.engine_ms(), patience=patience)


def beside(contest: Contest, name: str, load: str) -> list[Goal]:
    """Return the goals beside one rival: as good in all; nearly as many scans a second where there is but a route."""
    rates, waits = contest.ratios(load, name, throughput), contest.ratios(load, name, p99)
    if name == STARLETTE:
        return [Goal(f"throughput, {load}, over {name}'s", rates, least=NEAR)]
    return [
        Goal(f"throughput, {load}, over {name}'s", rates, least=1.0),
        Goal(f"p99, {load}, over {name}'s", waits, most=1.0),
    ]


if __name__ == "__main__":
    main()
