"""An installation beside a Prometheus, for tests and for `python -m tests.monitored`, which draws its dashboards."""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydicom import Dataset

from k8s.monitoring.preview import preview
from tests.builders import NOT_FOR_US
from tests.graphs import generator_folder, skeleton_and_heart
from tests.nvml import stand_in_driver
from tests.pacs import Pacs
from tests.prometheus import PROGRAM, Prometheus, running_prometheus
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.synthesis import ask, has_made
from tests.waiting import wait_for

_ROUNDS, _PAUSE_SECONDS = 30, 2.0
_NOTE = (
    "Simulated scans through graphs of a few KB, a scrape a second, a probe every 5 s. No GPU is here: what the row "
    "GPUs shows comes from a stand-in for NVIDIA's library, and always says the same."
)


@dataclass(frozen=True)
class Monitored:
    """One installation and the Prometheus that scrapes it."""

    stack: Stack
    prometheus: Prometheus

    def send_a_study(self, number: int = 0) -> Dataset:
        """Send a scan, wait until its results are at the PACS, and return it."""
        scan = copies(EXAMPLES[number % len(EXAMPLES) :], 1)[0]
        assert send(self.stack.dicom_port, [scan]) == [0x0000]
        assert self.stack.outcome(scan.StudyInstanceUID, 60).state == "delivered"
        return scan

    def has_seen(self, query: str) -> None:
        """Wait until a query gives something."""
        wait_for(lambda: self.prometheus.value(query), 60)

    @contextmanager
    def batch(self, scans: int) -> Iterator[None]:
        """Have a batch made while the block runs, and wait for it."""
        address = f"http://127.0.0.1:{self.stack.ports['synthesizer']}"
        with httpx.Client(base_url=address, timeout=60) as synthesizer:
            batch = ask(synthesizer, count=scans, seed=1)
            yield
            wait_for(lambda: has_made(synthesizer, batch, scans), 120)


@contextmanager
def monitored(folder: Path, pacs: Pacs, program: str) -> Iterator[Monitored]:
    """Run two classifiers, a generator, a probe, a GPU that is a stand-in's, and Prometheus, which has scraped each."""
    models = skeleton_and_heart(folder / "models")
    generator_folder(models)
    settings = stand_in_driver(folder / "driver") | {
        "SCINTIFLOW_SYNTHESIZER_MINIMUM_FREE_BYTES": "0",
        "SCINTIFLOW_PROBE_INTERVAL_SECONDS": "5",
    }
    with (
        running_stack(folder, CONFIGURATION.format(port=pacs.port), models=models, **settings) as stack,
        running_prometheus(program, folder, stack.ports) as prometheus,
    ):
        yield Monitored(stack, prometheus)


def main() -> None:
    """Send studies and ask for scans for a minute or more, and draw what Prometheus saw of it."""
    pace, (foreign, _) = threading.Event(), NOT_FOR_US["CT"]
    with tempfile.TemporaryDirectory() as folder, Pacs() as pacs, monitored(Path(folder), pacs, PROGRAM) as line:
        begun = time.time()
        with line.batch(scans=400):
            send(line.stack.dicom_port, [foreign()])
            for number in range(_ROUNDS):
                line.send_a_study(number)
                pace.wait(_PAUSE_SECONDS)
        minutes = (time.time() - begun) / 60
        for picture in preview(line.prometheus.url, Path("build/dashboards"), minutes=minutes, rate="20s", note=_NOTE):
            print(picture)


if __name__ == "__main__":
    main()
