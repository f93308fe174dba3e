"""How many synthetic scans a second? The bare engine, and the service with one client and with eight, in turns.

`python -m benchmarks.synthesize [--models DIR] [--quick] [--json FILE]`, from the repository's root. The bare engine
draws full buckets of expected counts, one after the other, and does nothing with them; "with counts" it has the counts
of every pixel drawn (Poisson) in two more threads, which no scan can do without. The service besides makes DICOM files
of them, compresses, and writes them to the disk for good: batches, timed from the request until they are done, of one
client, and of eight that ask for as large a one each at the same moment. "At once" are clients that ask for scans which
come in the answer.
Everything shares the machine. Patients are simulated.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.provenance import provenance
from scintiflow.inference.generator import Generator, check_golden, open_generator
from scintiflow.inference.generator_manifest import GeneratorManifest, load_generator
from scintiflow.synthesizer.sampling import sample
from tests.services import SECONDS_TO_START, is_ready, service
from tests.stack import SHIPPED
from tests.waiting import wait_for

CLIENTS = 8
ENGINE, COUNTS = "bare engine", "bare engine, with counts"
BATCH, BATCHES = "batch of 1 client", f"batches of {CLIENTS} clients"
FEW, FEWS = "at once, 1 client", f"at once, {CLIENTS} clients"
WANTED = {"label": "both", "load": 2.5, "perugini": 2}
LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Plan:
    """How often each is measured, and with how many scans, each client's where they ask for batches."""

    rounds: int
    scans: int


FULL = Plan(3, 256)
QUICK = Plan(2, 64)


def main() -> None:
    """Run, print one table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=SHIPPED, metavar="DIR", help="where the folder generator/ is")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 64 scans instead of 3 of 256")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    manifest = load_generator(arguments.models)
    rates = measure(arguments.models.resolve(), manifest, QUICK if arguments.quick else FULL)
    report = ratios(rates) | {"scans_a_second": {name: summary(values) for name, values in rates.items()}}
    report |= {"generator": {"version": manifest.version, "digest": manifest.digest, "rows": manifest.engine.rows}}
    report |= provenance("scintiflow", "openvino", "bentoml", "numpy", "pydicom")
    show(rates)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def measure(models: Path, manifest: GeneratorManifest, plan: Plan) -> dict[str, list[float]]:
    """Return scans a second of each way, one value a round; the ways take turns."""
    generator = open_generator(manifest)
    check_golden(generator, manifest)
    with tempfile.TemporaryDirectory() as folder:
        # The service puts its DATA beside its models.
        served = Path(folder) / "models"
        served.symlink_to(models)
        with service("synthesizer", served, minimum_free_bytes="0", maximum_waiting="4096") as (client, _):
            wait_for(lambda: is_ready(client), SECONDS_TO_START)
            ways: dict[str, tuple[int, Callable[[int], None]]] = {
                ENGINE: (plan.scans, lambda scans: draw(generator, manifest, scans)),
                COUNTS: (plan.scans, lambda scans: draw(generator, manifest, scans, counts=True)),
                BATCH: (plan.scans, lambda scans: batches(client, 1, scans)),
                BATCHES: (CLIENTS * plan.scans, lambda scans: batches(client, CLIENTS, scans)),
                FEW: (plan.scans, lambda scans: at_once(client, 1, scans)),
                FEWS: (plan.scans, lambda scans: at_once(client, CLIENTS, scans)),
            }
            at_once(client, 1, manifest.engine.rows)  # warms
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for _ in track(range(plan.rounds), "rounds"):
                for name, (scans, run) in ways.items():
                    rates[name].append(scans / seconds(partial(run, scans)))
    return rates


def draw(generator: Generator, manifest: GeneratorManifest, scans: int, *, counts: bool = False) -> None:
    """Draw expected counts with the engine alone, in full buckets, and the counts of each scan besides on request."""
    rows = manifest.engine.rows
    condition, known = manifest.encode({"metastatic": True, "cardiac": True, "load": 2.5, "perugini": 2})
    noise = np.random.default_rng(1).standard_normal((rows, generator.latent), np.float32)
    streams = [np.random.Generator(np.random.Philox(seed)) for seed in range(rows)]
    with ThreadPoolExecutor(2) as threads:
        for _ in range(scans // rows):
            drawn = generator.run(noise, np.tile(condition, (rows, 1)), np.tile(known, (rows, 1)))
            for rate, stream in zip(drawn.rate, streams, strict=True) if counts else ():
                threads.submit(sample, rate, manifest.counts[1], stream)


def batches(client: httpx.Client, clients: int, scans: int) -> None:
    """Ask for one batch a client, at the same moment, and wait until all scans are on the disk."""
    asked = [client.post("/v1/batches", json=WANTED | {"count": scans // clients}) for _ in range(clients)]
    places = [answer.raise_for_status().headers["location"] for answer in asked]
    for place in places:
        wait_for(lambda place=place: client.get(place).json()["state"] == "done", LONGEST_SECONDS, every=0.25)  # type: ignore[misc]
    for place in places:
        client.delete(place).raise_for_status()


def at_once(client: httpx.Client, clients: int, scans: int) -> None:
    """Let each client ask for scans that come in the answer, 32 at a time, until there are so many."""
    each = scans // clients
    with ThreadPoolExecutor(clients) as crowd:
        for done in [crowd.submit(ask, str(client.base_url), each) for _ in range(clients)]:
            done.result()


def ask(url: str, scans: int) -> None:
    """Ask for scans, at most 32 at a time."""
    with httpx.Client(base_url=url, timeout=LONGEST_SECONDS) as client:
        for first in range(0, scans, 32):
            client.post("/v1/generate", json=WANTED | {"count": min(32, scans - first)}).raise_for_status()


def seconds(run: Callable[[], None]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def ratios(rates: dict[str, list[float]]) -> dict[str, float]:
    """Return the median of each round's ratio of the service to the bare engine beside it."""
    names = {COUNTS: "counts", BATCH: "batch", BATCHES: "batches", FEW: "at_once", FEWS: "at_once_crowd"}
    return {
        f"{short}_over_engine": statistics.median(
            ours / engine for ours, engine in zip(rates[name], rates[ENGINE], strict=True)
        )
        for name, short in names.items()
    }


def summary(values: list[float]) -> dict[str, float]:
    """Return median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def show(rates: dict[str, list[float]]) -> None:
    """Print the table."""
    table = Table("", "scans a second", "min", "max", "of the engine", title="Synthetic scans (simulated patients)")
    for name, values in rates.items():
        share = statistics.median(ours / engine for ours, engine in zip(values, rates[ENGINE], strict=True))
        figures = (f"{value:.2f}" for value in (statistics.median(values), min(values), max(values)))
        table.add_row(name, *figures, f"{share:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
