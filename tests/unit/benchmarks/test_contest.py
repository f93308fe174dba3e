"""How turns become ratios, and ratios goals."""

from typing import Any

import pytest

from benchmarks.contest import BURST, ENGINE, LOADS, Contest, Goal, _one_round, falsely_refused
from benchmarks.crowd import Reply
from benchmarks.servers import LITSERVE, OURS, STARLETTE
from benchmarks.serving import goals_of, headline
from benchmarks.turns import Turn, percentiles, throughput, turn_of
from scintiflow.inference.manifest import load
from tests.stack import SHIPPED


def turn(rate: float, *, p50: float = 10.0, p99: float = 20.0, failed: int = 0) -> Turn:
    """A turn of which only this matters."""
    return Turn(rate, p50, p99, cpu_ms=1.0, client_cpu_ms=0.1, failed=failed)


def held(**rates: list[float]) -> Contest:
    """Return a contest in which everybody is as fast under every load, and a burst of ours that all was answered in."""
    names = {"ours": OURS, "engine": ENGINE, "litserve": LITSERVE, "starlette": STARLETTE}
    contest = Contest(load(SHIPPED / "cardiac"))
    for name, values in rates.items():
        for borne in LOADS:
            for rate in values:
                contest.keep(borne, names[name], turn(rate, p99=1000 / rate))
    contest.keep(BURST, OURS, turn(10.0))
    return contest


def test_a_ratio_is_of_one_round() -> None:
    """Each round has its own ratio: a machine that slows down for a round changes both sides of it."""
    contest = held(ours=[90.0, 45.0, 180.0], engine=[100.0, 50.0, 200.0])
    assert contest.ratios(LOADS[1], ENGINE, throughput) == [0.9, 0.9, 0.9]


def test_everybody_begins_a_round_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bare engine, too, does not always run on the machine that has just come to rest."""
    began: list[Any] = []
    monkeypatch.setattr("benchmarks.contest.engine_turn", lambda engine, *_: began.append(engine) or turn(1.0))
    monkeypatch.setattr("benchmarks.contest.steady_turn", lambda server, *_: began.append(server) or turn(1.0))
    found, servers = held(), {OURS: "ours", LITSERVE: "theirs"}
    firsts = []
    for number in range(3):
        began.clear()
        _one_round(found, "engine", servers, number, 1, burst=False)
        assert began[: len(began) // len(LOADS)] * len(LOADS) == began
        firsts.append(began[0])
    assert firsts == ["engine", "ours", "theirs"]


def test_whoever_answers_nothing_is_beaten_without_end() -> None:
    """A rival that answered no scan in a round does not end the benchmark."""
    contest = held(ours=[90.0])
    contest.keep(LOADS[0], LITSERVE, turn(0.0))
    assert contest.ratios(LOADS[0], LITSERVE, throughput) == [float("inf")]


def test_the_headline_is_the_worst_load_that_keeps_the_engine_busy() -> None:
    """One scan at a time leaves the engine idle between two, so it does not count for throughput."""
    contest = held(ours=[90.0], engine=[100.0])
    contest.turns[LOADS[0], OURS] = [turn(10.0, p50=14.0)]
    contest.turns[LOADS[2], OURS] = [turn(80.0)]
    told = headline(contest)
    assert next(iter(told)) == "throughput_ratio_to_bare_engine"
    assert (told["throughput_ratio_to_bare_engine"], told["added_ms_p50"]) == (0.8, 4.0)


def test_goals_are_those_of_rivals_that_ran() -> None:
    """Two for the engine, one each for latency and refusals, two a load for a rival, one a load for bare Starlette."""
    goals = goals_of(held(ours=[96.0], engine=[100.0], litserve=[95.0], starlette=[102.0]))
    assert len(goals) == 2 + 1 + 1 + 2 * len(LOADS) + len(LOADS)
    missed = [goal.name for goal in goals if not goal.met()]
    assert missed == [f"throughput, {load}, over {STARLETTE}'s" for load in LOADS]


def test_a_goal_is_judged_by_the_median_of_its_rounds() -> None:
    """One bad round does not miss it, and the sentence gives the range."""
    assert Goal("speed", [0.5, 0.96, 0.97], least=0.95).met()
    missed = Goal("waiting", [0.9, 1.2, 1.3], most=1.0)
    assert not missed.met()
    assert missed.sentence() == "Missed: waiting is 1.20 (0.90 to 1.30), not at most 1."


def test_a_refusal_is_false_where_there_was_time() -> None:
    """Of 200 scans of 0.25 s, 100 can be answered in 25 s: to refuse the other half is honest."""
    bursts = [turn(4.0, failed=100), turn(4.0, failed=136)]
    assert falsely_refused(bursts, engine_ms=250, patience=25) == 36
    assert falsely_refused(bursts, engine_ms=10, patience=25) == 236


def test_a_burst_counts_only_what_was_answered() -> None:
    """Whoever is refused at once makes a server neither faster nor quicker."""
    replies = [Reply(200, 1.0), Reply(200, 2.0), Reply(429, 0.01), Reply(0, 0.01)]
    burst = turn_of(replies, cpu_seconds=0.4, client_cpu_seconds=0.1)
    assert (burst.scans_a_second, burst.p50_ms, burst.failed) == (1.0, 1500.0, 2)
    assert (burst.cpu_ms, burst.client_cpu_ms) == (200.0, 50.0)


def test_a_burst_may_be_refused_whole() -> None:
    """Then nothing was fast, and everything failed."""
    burst = turn_of([Reply(503, 0.01)] * 3, cpu_seconds=0.1, client_cpu_seconds=0.1)
    assert (burst.scans_a_second, burst.p99_ms, burst.failed) == (0.0, float("inf"), 3)


def test_percentiles_of_a_hundred_and_one() -> None:
    """Of 0 to 100, half are at most 50 and all but one in a hundred at most 99."""
    assert percentiles([float(value) for value in range(101)]) == (50.0, 99.0)
    assert percentiles([7.0]) == (7.0, 7.0)
