"""One load on one server, and what it came to."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.crowd import Reply, ask_at_once
from benchmarks.servers import BareEngine, Server
from benchmarks.wrk import post
from tests.waiting import wait_for

_WATCHED_SECONDS, _IDLE_CORES, _SECONDS_TO_REST = 0.3, 0.1, 120


@dataclass(frozen=True)
class Turn:
    """One load on one server. CPU time is in milliseconds a scan, of all the server's processes and of the client."""

    scans_a_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    client_cpu_ms: float
    failed: int
    """Scans that were not answered with 200."""


def throughput(turn: Turn) -> float:
    """Return scans a second."""
    return turn.scans_a_second


def p99(turn: Turn) -> float:
    """Return what all but one in a hundred kept to, in milliseconds."""
    return turn.p99_ms


def engine_turn(engine: BareEngine, at_once: int, seconds: int) -> Turn:
    """Let the engine run by itself, with as many scans in a call as a service would put into a batch."""
    before = engine.cpu_seconds()
    rows, milliseconds = engine.run(seconds, at_once)
    scans, used = rows * len(milliseconds), engine.cpu_seconds() - before
    return Turn(1000 * scans / sum(milliseconds), *percentiles(milliseconds), 1000 * used / scans, 0.0, 0)


def steady_turn(server: Server, at_once: int, seconds: int) -> Turn:
    """Load a server with so many questions at once, and let it rest; the times are of a question."""
    question, before = server.question, server.cpu_seconds()
    found, client = post(server.url, question.body, question.headers, connections=at_once, seconds=seconds)
    used, answered = server.cpu_seconds() - before, question.scans * found.answered
    rest(server)
    cpu = (1000 * used / max(1, answered), 1000 * client / max(1, answered))
    return Turn(answered / found.seconds, found.p50_ms, found.p99_ms, *cpu, question.scans * found.failed)


def burst_turn(server: Server, people: int) -> Turn:
    """Let a crowd ask at once, and the server rest; the times are of those who were answered."""
    question, before, began = server.question, server.cpu_seconds(), time.process_time()
    replies = ask_at_once(server.port, question.path, question.body, question.headers, people=people)
    client, used = time.process_time() - began, server.cpu_seconds() - before
    rest(server)
    return turn_of(replies, used, client)


def turn_of(replies: Sequence[Reply], cpu_seconds: float, client_cpu_seconds: float) -> Turn:
    """Return what a burst came to; its rate counts until the last answer."""
    answered = [reply.seconds for reply in replies if reply.status == 200]
    rate, scans = len(answered) / max(answered, default=1.0), max(1, len(answered))
    p50_ms, p99_ms = percentiles([1000 * seconds for seconds in answered])
    used = (1000 * cpu_seconds / scans, 1000 * client_cpu_seconds / scans)
    return Turn(rate, p50_ms, p99_ms, *used, len(replies) - len(answered))


def rest(server: Server) -> None:
    """Wait until a server has done what its clients left behind."""
    wait_for(lambda: cores(server, _WATCHED_SECONDS) < _IDLE_CORES, _SECONDS_TO_REST)


def percentiles(milliseconds: Sequence[float]) -> tuple[float, float]:
    """Return what half, and what all but one in a hundred kept to; infinity where there is nothing."""
    if len(milliseconds) < 2:  # quantiles take two
        return (milliseconds[0], milliseconds[0]) if milliseconds else (float("inf"), float("inf"))
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return cuts[49], cuts[98]


def cores(server: Server, seconds: float) -> float:
    """Watch a server for so many seconds; return how many cores it keeps busy."""
    before, began = server.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / (time.monotonic() - began)
