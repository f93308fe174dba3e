"""Servers of one model under the same loads in turns, and how ours compares with the bare engine and each rival."""

import argparse
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from benchmarks.servers import (
    OURS,
    RIVALS,
    BareEngine,
    Environments,
    LeftOut,
    Server,
    bare_engine,
    golden_scan,
    in_bulk,
    ours,
    rival,
    version_of,
)
from benchmarks.turns import Turn, burst_turn, cores, engine_turn, p99, steady_turn, throughput
from benchmarks.wrk import require_wrk
from scintiflow.inference.manifest import Manifest
from scintiflow.inference.manifest import load as load_manifest

ENGINE = "bare engine"
AT_ONCE = (1, 8, 32)
"""How many scans are asked for at any time."""
LOADS = tuple(f"{scans} at once" for scans in AT_ONCE)
CROWD = 200
BURST = f"burst of {CROWD}"
Case = tuple[str, str]
"""The load, and who bore it."""


@dataclass(frozen=True)
class Plan:
    """How often and how long."""

    rounds: int
    seconds: int
    """Of a turn, or as long as the engine takes for `scans`."""
    scans: int
    bursts: int
    """Rounds that end with a burst."""


FULL = Plan(15, 2, 128, 3)
QUICK = Plan(1, 2, 8, 1)

Figure = Callable[[Turn], float]


@dataclass
class Contest:
    """Everything that was measured: the turns of each load and server, in order of the rounds."""

    manifest: Manifest
    turns: dict[Case, list[Turn]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    idle_cores: dict[str, float] = field(default_factory=dict)
    """What each server takes of a core while nobody asks."""

    def keep(self, load: str, name: str, turn: Turn) -> None:
        """Add a turn."""
        self.turns.setdefault((load, name), []).append(turn)

    def ratios(self, load: str, other: str, figure: Figure) -> list[float]:
        """Return ours over another's, a value a round."""
        pairs = zip(self.turns[load, OURS], self.turns[load, other], strict=True)
        return [figure(one) / figure(another) if figure(another) else math.inf for one, another in pairs]

    def loads(self) -> list[str]:
        """Return the loads, in the order in which they came."""
        return list(dict.fromkeys(load for load, _ in self.turns))

    def bore(self, load: str) -> list[str]:
        """Return who bore a load, the bare engine and ours first."""
        order = [ENGINE, OURS, *(each.name for each in RIVALS)]
        return [name for name in order if (load, name) in self.turns]

    def rivals(self) -> list[str]:
        """Return the rivals that ran."""
        return [name for name in self.bore(LOADS[0]) if name not in (ENGINE, OURS)]

    def engine_ms(self) -> float:
        """Return what a scan takes in the bare engine."""
        return statistics.median(turn.p50_ms for turn in self.turns[LOADS[0], ENGINE])


@dataclass(frozen=True)
class Goal:
    """Something that should hold for the median of the rounds."""

    name: str
    values: Sequence[float]
    least: float | None = None
    most: float | None = None

    def met(self) -> bool:
        """Tell whether it holds."""
        median = statistics.median(self.values)
        return (self.least is None or median >= self.least) and (self.most is None or median <= self.most)

    def told(self) -> dict[str, Any]:
        """Return it for JSON."""
        bounds = {"least": self.least, "most": self.most}
        said = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"goal": self.name, "met": self.met(), **said, **summary(self.values)}

    def sentence(self) -> str:
        """Say whether it is held."""
        bound = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        seen = f"{statistics.median(self.values):.2f} ({min(self.values):.2f} to {max(self.values):.2f})"
        return (
            f"Held: {self.name} is {seen}, {bound}." if self.met() else f"Missed: {self.name} is {seen}, not {bound}."
        )


def parser(purpose: str) -> argparse.ArgumentParser:
    """Return what both benchmarks of servers understand."""
    understood = argparse.ArgumentParser(description=purpose)
    understood.add_argument("--quick", action="store_true", help="one round of short turns")
    understood.add_argument("--rounds", type=int, default=FULL.rounds, metavar="N", help="fewer, for a slow model")
    understood.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    understood.add_argument("--rivals", type=Path, default=".venv-rivals", metavar="DIR", help="their environment")
    understood.add_argument("--triton", type=Path, default=".venv-triton", metavar="DIR", help="PyTriton's own")
    understood.add_argument("--only", action="append", choices=[each.name for each in RIVALS], help="these rivals only")
    return understood


def hold(model: Path, arguments: argparse.Namespace, screen: Console, *, bulk: Sequence[int] = ()) -> Contest:
    """Run every server that this machine has with the model in a folder, and load them in turns.

    Ours is also asked for several scans in one request, as many as `bulk` says, one request at a time.
    """
    require_wrk()
    contest = Contest(load_manifest(model))
    plan = QUICK if arguments.quick else replace(FULL, rounds=arguments.rounds)
    wanted = arguments.only or [each.name for each in RIVALS]
    with ExitStack() as stack:
        engine = stack.enter_context(bare_engine(model))
        servers = _started(stack, contest, wanted, Environments(arguments.rivals, arguments.triton), screen)
        contest.idle_cores = {name: cores(server, 1.0) for name, server in servers.items()}
        seconds = max(plan.seconds, int(plan.scans * _warm(engine, servers)))
        scan = golden_scan(contest.manifest)
        bulky = [in_bulk(servers[OURS], model, scan, scans) for scans in bulk]
        for number in track(range(plan.rounds), "rounds"):
            _one_round(contest, engine, servers, number, seconds, burst=number < plan.bursts)
            for server in bulky:
                _ask_in_bulk(contest, engine, server, seconds)
    return contest


def _started(
    stack: ExitStack, contest: Contest, wanted: Sequence[str], environments: Environments, screen: Console
) -> dict[str, Server]:
    """Start ours and the rivals, and say who is left out, and why."""
    model, scan = contest.manifest.folder, golden_scan(contest.manifest)
    servers = {OURS: stack.enter_context(ours(model, scan))}
    for each in RIVALS:
        if each.name not in wanted:
            continue
        python = environments.python(each)
        try:
            servers[each.name] = stack.enter_context(rival(each, python, model, scan))
            contest.versions[each.name] = version_of(each, python)
        except LeftOut as reason:
            contest.left_out[each.name] = str(reason)
            screen.print(f"Left out: {each.name}. {reason}", style="dim", markup=False)
    return servers


def _one_round(
    contest: Contest,
    engine: BareEngine,
    servers: Mapping[str, Server],
    number: int,
    seconds: int,
    *,
    burst: bool,
) -> None:
    """Load everybody in turns; who begins changes from round to round."""
    names = [ENGINE, *servers]
    order = names[number % len(names) :] + names[: number % len(names)]
    for load, scans in zip(LOADS, AT_ONCE, strict=True):
        for name in order:
            alone = name == ENGINE
            turn = engine_turn(engine, scans, seconds) if alone else steady_turn(servers[name], scans, seconds)
            contest.keep(load, name, turn)
    for name in order if burst else ():
        if name != ENGINE:
            contest.keep(BURST, name, burst_turn(servers[name], CROWD))


def _ask_in_bulk(contest: Contest, engine: BareEngine, server: Server, seconds: int) -> None:
    load = f"{server.question.scans} in one request"
    contest.keep(load, ENGINE, engine_turn(engine, server.question.scans, seconds))
    contest.keep(load, OURS, steady_turn(server, 1, seconds))


def falsely_refused(bursts: Sequence[Turn], *, engine_ms: float, patience: float) -> int:
    """Return how many scans were refused although the engine alone answers them within the patience, in seconds."""
    possible = min(CROWD, int(1000 * patience / engine_ms))
    return sum(max(0, possible - (CROWD - turn.failed)) for turn in bursts)


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def told(contest: Contest, goals: Sequence[Goal]) -> dict[str, Any]:
    """Return everything for JSON."""
    manifest = contest.manifest
    return {
        "goals": [goal.told() for goal in goals],
        "ratios": [
            {"load": load, "server": name}
            | {"throughput": summary(contest.ratios(load, name, throughput))}
            | {"p99": summary(contest.ratios(load, name, p99))}
            for load, name in contest.turns
            if name != OURS
        ],
        "turns": [
            {"load": load, "server": name, "taken": [asdict(turn) for turn in turns]}
            for (load, name), turns in contest.turns.items()
        ],
        "model": {"name": manifest.name, "version": manifest.version, "digest": manifest.digest},
        "idle_cores": contest.idle_cores,
        "rivals": contest.versions,
        "left_out": contest.left_out,
    }


def show(contest: Contest, goals: Sequence[Goal], title: str, screen: Console) -> None:
    """Print the table, and which goals are missed."""
    columns = ("server", "scans/s", "range", "ours is", "p50 ms", "p99", "CPU ms", "client", "failed")
    table = Table(*(Column(name, no_wrap=True) for name in columns), title=title, box=SIMPLE, padding=0)
    for load in contest.loads():
        table.add_row(load, style="bold")
        for name in contest.bore(load):
            table.add_row(name, *_cells(contest, load, name))
    screen.print(table)
    missed = [goal for goal in goals if not goal.met()]
    screen.print(f"{len(goals) - len(missed)} of {len(goals)} goals are met.")
    for goal in missed:
        screen.print(goal.sentence())


def _cells(contest: Contest, load: str, name: str) -> list[str]:
    turns = contest.turns[load, name]
    rates = [turn.scans_a_second for turn in turns]
    ratio = "" if name == OURS else f"{statistics.median(contest.ratios(load, name, throughput)):.2f}x"
    medians = {figure: statistics.median(asdict(turn)[figure] for turn in turns) for figure in asdict(turns[0])}
    return [
        f"{medians['scans_a_second']:.1f}",
        "-".join(f"{rate:.0f}" if max(rates) >= 100 else f"{rate:.1f}" for rate in (min(rates), max(rates))),
        ratio,
        f"{medians['p50_ms']:.1f}",
        f"{medians['p99_ms']:.0f}",
        f"{medians['cpu_ms']:.2f}",
        f"{medians['client_cpu_ms']:.2f}",
        str(sum(turn.failed for turn in turns)),
    ]


def _warm(engine: BareEngine, servers: Mapping[str, Server]) -> float:
    """Let everybody answer for a second; return what a scan takes in the engine, in seconds."""
    for server in servers.values():
        steady_turn(server, AT_ONCE[1], 1)
    return engine_turn(engine, 1, 1).p50_ms / 1000
