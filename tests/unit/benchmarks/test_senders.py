"""How turns of the line and of its parts become ratios, costs and goals."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.senders import AT_ONCE, Parts, Round, Turn, Watchful, goals_of, headline
from tests.stack import EXAMPLES, copies, send

CPU = {"receiver": 0.01, "keeper": 0.01, "router": 0.04, "sender": 0.02, "classifier": 0.5, "redis": 0.01, "up": 0.0}


def a_round(rate: float, *, inference: float = 0.4, receiving: float = 0.1, seconds: float = 0.5) -> Round:
    """A round in which every load came to the same rate, in studies a minute."""
    parts = Parts({"metastasis": inference}, dict.fromkeys(AT_ONCE, receiving))
    return Round(parts, {senders: Turn(rate, [seconds], CPU, 0.02) for senders in AT_ONCE})


def test_ratios_are_of_one_round() -> None:
    """A machine that slows down for a round changes line and parts alike."""
    for one in (a_round(120), a_round(60, inference=0.8, receiving=0.2)):
        assert one.of_engines(4) == pytest.approx(0.8)
        assert one.of_parts(4) == pytest.approx(1.0)


def test_the_classifier_is_inference() -> None:
    """What receiver, keeper, router and sender take counts beyond it; Redis and the supervisor stand beside."""
    assert a_round(60).turns[1].beyond_inference() == pytest.approx(0.08)


def test_the_headline_is_of_loads_that_keep_the_line_busy() -> None:
    """A lone sender leaves the engines idle between two studies, so it counts for the median alone and for the cost."""
    one = a_round(120)
    told = headline([Round(one.parts, {**one.turns, 1: Turn(6, [0.7], CPU | {"router": 0.1}, 0.02)})])
    assert next(iter(told)) == "throughput_ratio_to_bare_engines"
    assert told["throughput_ratio_to_bare_engines"] == pytest.approx(0.8)
    assert told["cpu_seconds_a_study_beyond_inference"] == pytest.approx(0.14)
    assert told["median_seconds_alone"] == 0.7


def test_goals_are_one_a_load_for_cost_and_one_for_time() -> None:
    """A line that is cheap and slow misses one."""
    goals = goals_of([a_round(60, seconds=0.7)])
    assert len(goals) == len(AT_ONCE) + 1
    assert [goal.met() for goal in goals] == [True] * len(AT_ONCE) + [False]


def test_a_study_is_complete_with_its_last_result() -> None:
    """The PACS of the benchmark waits for as many results as a study has, and tells when the last of them came."""
    first, second, other = copies(EXAMPLES, 3)
    second.StudyInstanceUID = first.StudyInstanceUID
    with Watchful(results_a_study=2) as pacs, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(pacs.complete_at, first.StudyInstanceUID)
        assert send(pacs.port, [first, other], called="PACS") == [0, 0]
        assert not waiting.done()
        assert send(pacs.port, [second], called="PACS") == [0]
        assert waiting.result() == pacs.came[first.StudyInstanceUID][1]
