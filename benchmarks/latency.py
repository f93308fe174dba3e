"""How long until the result is at the PACS? One complete study at a time, on an idle machine.

`python -m benchmarks.latency [--quick] [--json FILE]`, from the repository's root. The clock runs from the
moment the sender reads the C-STORE response to the moment the destination has stored the last result. The stages
come from the times that the line itself writes down; the bare engines run in the same session, in turn with the
studies, on a golden scan.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from pydicom import Dataset
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.bare_engines import bare_engines
from benchmarks.line import results_a_study
from benchmarks.provenance import provenance
from scintiflow.config import PORTS
from scintiflow.records import Record
from tests.pacs import Pacs
from tests.stack import CONFIGURATION, EXAMPLES, SHIPPED, Stack, copies, running_stack, send
from tests.waiting import wait_for

RESULTS_A_STUDY = results_a_study(SHIPPED)


def main() -> None:
    """Run, print one table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 studies instead of 40")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    stages = measure(studies=5 if arguments.quick else 40)
    report = {"median_seconds": statistics.median(stages["C-STORE response to result stored"])}
    report |= {"stages": {name: summary(values) for name, values in stages.items()}}
    report |= provenance("scintiflow", "pynetdicom", "openvino", "bentoml", "highdicom")
    show(stages)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def measure(studies: int) -> dict[str, list[float]]:
    """Send `studies` studies one after the other; return the seconds of each stage, one value a study."""
    found: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Pacs() as pacs,
        running_stack(Path(folder), CONFIGURATION.format(port=pacs.port), models=SHIPPED) as stack,
    ):
        engines = bare_engines(SHIPPED)
        for number, study in enumerate(track(copies(EXAMPLES, studies + 1), "sending")):
            stages = send_one(stack, pacs, study)
            stages |= {f"bare engine, {name}": engine() for name, engine in engines.items()}
            if number:  # the first one warms
                for name, seconds in stages.items():
                    found.setdefault(name, []).append(seconds)
    return found


def send_one(stack: Stack, pacs: Pacs, study: Dataset) -> dict[str, float]:
    """Send one study, wait for its results, and return the seconds of each stage and in all."""
    expected, before = len(pacs.objects) + RESULTS_A_STUDY, inside_router(stack)
    send(stack.dicom_port, [study])
    answered = time.time()
    wait_for(lambda: len(pacs.objects) >= expected, seconds=60, every=0.002)
    total = time.time() - answered
    outcome = stack.outcome(study.StudyInstanceUID)
    assert outcome.state == "delivered", outcome
    inside = {f"  of which {name}": seconds - before[name] for name, seconds in inside_router(stack).items()}
    keeper, queue, router, sender = stages_of(stack.record(study.StudyInstanceUID)).items()
    return dict([keeper, queue, router, *inside.items(), sender, ("C-STORE response to result stored", total)])


def stages_of(record: Record) -> dict[str, float]:
    """Return how long each stage took, from the record's own times."""
    at = {event["event"]: event["at"] for event in record.events}
    stored = max(record.objects.values())
    delivered = [when for results in record.delivered.values() for when in results.values()]
    return {
        "stored to selected (keeper)": at["selected"] - stored,
        "selected to reading (queue)": at["reading"] - at["selected"],
        "reading to reported (router)": at["reported"] - at["reading"],
        "reported to delivered (sender)": max(delivered) - at["reported"],
    }


def inside_router(stack: Stack) -> dict[str, float]:
    """Return the seconds that the router has spent decoding, classifying and encoding since its start."""
    page = httpx.get(f"http://127.0.0.1:{PORTS['router'] + stack.offset}/metrics").text
    sums = dict(re.findall(r'^scintiflow_router_stage_seconds_sum{stage="(\w+)"} (\S+)', page, re.MULTILINE))
    return {stage: float(sums.get(stage, 0)) for stage in ("decode", "classify", "encode")}


def summary(values: list[float]) -> dict[str, float]:
    """Return median and range in seconds."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def show(stages: dict[str, list[float]]) -> None:
    """Print the table."""
    table = Table("stage", "median ms", "min", "max", title="One study at a time (simulated patients)")
    for name, values in stages.items():
        table.add_row(name, *(f"{1000 * value:.0f}" for value in (statistics.median(values), min(values), max(values))))
    Console().print(table)


if __name__ == "__main__":
    main()
