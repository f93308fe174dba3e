"""What happens when many studies come at once? Rates, the knee, a thousand studies in one go, and the watermark.

`python -m benchmarks.burst [--quick] [--json FILE]`, from the repository's root. Senders, the destination and the
whole line share one machine. The clock of a study runs from the moment its sender reads the C-STORE response to the
moment the destination has stored its last result. Senders behave as a PACS does: what is put off (A700, or a rejected
association) is sent again after two seconds. Arrivals are open-loop: they come when they come (Poisson, seeded),
however busy the line is.
"""

import argparse
import json
import random
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.line import MANY, MORE, ONE, Line, Study, running_line
from benchmarks.processes import program_of
from benchmarks.provenance import provenance
from scintiflow.config import PORTS, embedded_socket
from scintiflow.stream import Stream, connect
from tests.pacs import Tally
from tests.stack import Stack
from tests.waiting import wait_for


@dataclass(frozen=True)
class Plan:
    """How long and how many."""

    rate_seconds: float
    rates: tuple[int, ...]
    """Studies an hour."""
    step_seconds: float
    steps: tuple[int, ...]
    """Rising rates in studies an hour; the last ones only as long as the line keeps up."""
    burst: int
    watermark: int
    beyond_watermark: int


FULL = Plan(150, (225, 400), 20, (3_600, 7_200, 14_400, 21_600, 28_800, 36_000, 43_200), 1_000, 100, 400)
QUICK = Plan(10, (400,), 8, (7_200, 21_600), 60, 30, 100)


class Watch(threading.Thread):
    """Looks at queues and memory once a second while a block runs."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        redis = connect(f"unix://{embedded_socket(stack.data)}")
        self._queues = {name: Stream(redis, name) for name in ("events", "ready", "results:pacs")}
        self._process = psutil.Process(stack.process.pid)
        self._done = threading.Event()
        self.peaks: dict[str, int] = dict.fromkeys(self._queues, 0)
        self.megabytes: dict[str, float] = {}

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        """Keep the highest of everything."""
        while not self._done.wait(1.0):
            self.peaks = {name: max(self.peaks[name], queue.size()) for name, queue in self._queues.items()}
            found: dict[str, float] = {}
            for child in self._process.children(recursive=True):
                try:
                    name, size = program_of(child), child.memory_info().rss / 2**20
                except psutil.NoSuchProcess:
                    continue
                found[name] = found.get(name, 0) + size
            self.megabytes = {name: max(size, self.megabytes.get(name, 0)) for name, size in found.items()}


def arrivals(line: Line, an_hour: float, seconds: float, seed: int) -> dict[str, Any]:
    """Let studies arrive at a rate for a while; return latency, and how long the rest took to drain."""
    times = _poisson(an_hour, seconds, random.Random(seed))
    studies = line.studies(len(times), ONE)
    with Watch(line.stack) as watch, ThreadPoolExecutor(32) as senders:
        began = time.monotonic()
        sending = []
        for at, study in zip(times, studies, strict=True):
            time.sleep(max(0.0, began + at - time.monotonic()))
            sending.append(senders.submit(line.forward, [study]))
        for each in sending:
            each.result()
        ended = time.monotonic()
        wait_for(line.drained, seconds=120)
    drain = time.monotonic() - ended
    return {"an_hour": an_hour, "seconds_to_drain": drain, "peak_queues": watch.peaks} | summary(line.seconds(studies))


def knee(line: Line, plan: Plan) -> list[dict[str, Any]]:
    """Raise the rate until p95 is twice the quiet one, or what waits has grown; return every step."""
    found: list[dict[str, Any]] = []
    for seed, rate in enumerate(plan.steps):
        found.append(arrivals(line, rate, plan.step_seconds, seed))
        if found[-1]["p95"] > 2 * found[0]["p95"]:
            break
    return found


def burst(line: Line, number: int) -> dict[str, Any]:
    """Send `number` studies at once over 8 associations of two AEs, beside a trickle of a third."""
    halves = {title: line.studies(number // 2, title) for title in (MANY, MORE)}
    shares = [studies[place::4] for studies in halves.values() for place in range(4)]
    trickle: list[Study] = []
    over = threading.Event()

    def drip() -> None:
        while not over.is_set():
            study = line.studies(1, ONE)
            trickle.extend(study)
            line.forward(study)
            over.wait(3)

    with Watch(line.stack) as watch, ThreadPoolExecutor(9) as senders:
        began = time.monotonic()
        dripping = senders.submit(drip)
        for sending in [senders.submit(line.forward, share) for share in shares]:
            sending.result()
        received = time.monotonic() - began
        wait_for(lambda: len(line.destination.stored_at) >= line.results_a_study * number, seconds=600, every=0.1)
        over.set()
        dripping.result()
        wait_for(line.drained, seconds=60, every=0.1)
        drained = time.monotonic() - began
    return {
        "studies": number + len(trickle),
        "seconds_to_receive": received,
        "seconds_to_drain": drained,
        "studies_an_hour": 3600 * (number + len(trickle)) / drained,
        "peak_queues": watch.peaks,
        "peak_megabytes": watch.megabytes,
        "callers": {title: summary(line.seconds(each)) for title, each in (halves | {ONE: trickle}).items()},
    }


def watermark(line: Line, number: int, most: int) -> dict[str, Any]:
    """Send `number` studies to a line that lets `most` wait; all arrive, and it recovers by itself."""
    studies = line.studies(number, MANY)
    opened: list[float] = []
    with Watch(line.stack) as watch, ThreadPoolExecutor(5) as pool:
        sending = [pool.submit(line.forward, studies[place::4]) for place in range(4)]
        over = threading.Event()
        watching = pool.submit(_recoveries, line, over, opened)
        for each in sending:
            each.result()
        over.set()
        watching.result()
        wait_for(line.drained, seconds=300)
    waits = [min((at - since for at in line.answered.values() if at >= since), default=0.0) for since in opened]
    return {
        "studies": number,
        "watermark": most,
        "put_off": line.put_off,
        "peak_queues": watch.peaks,
        "recoveries": len(opened),
        "seconds_from_open_to_next_study": statistics.median(waits) if waits else None,
    } | summary(line.seconds(studies))


def _recoveries(line: Line, over: threading.Event, opened: list[float]) -> None:
    """Note when the receiver takes new studies again, as its metrics say."""
    url, full = f"http://127.0.0.1:{PORTS['receiver'] + line.stack.offset}/metrics", False
    while not over.wait(0.1):
        now = "scintiflow_receiver_backlog_full 1.0" in httpx.get(url).text
        if full and not now:
            opened.append(time.time())
        full = now


def summary(seconds: list[float]) -> dict[str, float]:
    """Return the percentiles of some latencies."""
    ordered = sorted(seconds)
    places = {f"p{part}": ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 95, 99)}
    return places | {"max": ordered[-1], "n": len(ordered)}


def _poisson(an_hour: float, seconds: float, dice: random.Random) -> list[float]:
    times, at = [], dice.expovariate(an_hour / 3600)
    while at < seconds:
        times.append(at)
        at += dice.expovariate(an_hour / 3600)
    return times or [0.0]


def main() -> None:
    """Run, print the tables, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    plan, report = QUICK if arguments.quick else FULL, dict[str, Any]()
    with Progress(transient=True) as progress:
        said = progress.add_task("starting", total=None)

        def stage(name: str, measure: Callable[[], Any]) -> None:
            progress.update(said, description=name)
            report[name] = measure()

        with running_line(Tally()) as quiet:
            stage("rates", lambda: [arrivals(quiet, rate, plan.rate_seconds, rate) for rate in plan.rates])
            stage("knee", lambda: knee(quiet, plan))
        with running_line(Tally()) as fresh:
            stage("burst", lambda: burst(fresh, plan.burst))
        with running_line(Tally(), SCINTIFLOW_RECEIVER_MAXIMUM_BACKLOG=str(plan.watermark)) as narrow:
            stage("watermark", lambda: watermark(narrow, plan.beyond_watermark, plan.watermark))
    report |= provenance("scintiflow", "pynetdicom", "openvino", "bentoml", "highdicom")
    show(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def show(report: dict[str, Any]) -> None:
    """Print what was found."""
    screen = Console()
    latency = Table("load", "n", "p50 s", "p95", "p99", "max", title="C-STORE response to result stored")
    burst, mark = report["burst"], report["watermark"]
    rows = {f"{row['an_hour']:,} an hour": row for row in (*report["rates"], *report["knee"])}
    rows |= {f"{burst['studies']:,} at once: {caller}": row for caller, row in burst["callers"].items()}
    rows |= {f"{mark['studies']} over a watermark of {mark['watermark']}": mark}
    for name, row in rows.items():
        latency.add_row(name, str(row["n"]), *(f"{row[part]:.2f}" for part in ("p50", "p95", "p99", "max")))
    screen.print(latency)
    screen.print(
        f"At once: received in {burst['seconds_to_receive']:.0f} s, drained in {burst['seconds_to_drain']:.0f} s "
        f"({burst['studies_an_hour']:,.0f} studies an hour); peaks {burst['peak_queues']}, MiB "
        f"{ {name: round(size) for name, size in burst['peak_megabytes'].items()} }"
    )
    screen.print(
        f"Watermark {mark['watermark']}: peak {mark['peak_queues']}, put off {mark['put_off']} times, reopened "
        f"{mark['recoveries']} times, next study {mark['seconds_from_open_to_next_study']} s after (median)."
    )


if __name__ == "__main__":
    main()
