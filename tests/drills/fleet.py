"""Several processes of each kind, each as on a machine of its own: one Redis and one DATA between them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from scintiflow.config import PORTS
from tests.ports import free_offset
from tests.round_robin import RoundRobin
from tests.waiting import wait_for

SECONDS_TO_START = 180

_WORK = {
    "receiver": ("scintiflow_receiver_objects_total", "stored"),
    "keeper": ("scintiflow_keeper_decisions_total", "selected"),
    "router": ("scintiflow_router_studies_total", "reported"),
    "classifier": ("scintiflow_classifier_requests_total", "infer"),
    "sender": ("scintiflow_sender_results_total", "delivered"),
}
"""What each kind counts of its work: a metric, and the value of one of its labels."""


@dataclass
class Member:
    """One process of the fleet."""

    name: str
    number: int
    offset: int = field(default_factory=free_offset)
    earlier: float = 0
    """The work of its earlier lives, as far as it was seen."""
    process: subprocess.Popen[bytes] = field(init=False)

    def __str__(self) -> str:
        return f"{self.name} {self.number}"

    def port(self, name: str) -> int:
        """Where it listens."""
        return PORTS[name] + self.offset

    def ready(self) -> bool:
        """Tell whether it says that it is ready."""
        with suppress(httpx.HTTPError):
            return self._get("/readyz").status_code == httpx.codes.OK
        return False

    def count(self, metric: str, label: str | None = None) -> float:
        """Add up the samples of a metric that have a label of this value."""
        samples = [s for family in text_string_to_metric_families(self._get("/metrics").text) for s in family.samples]
        return sum(s.value for s in samples if s.name == metric and (label is None or label in s.labels.values()))

    def work(self) -> float:
        """Return how much it has done in this life."""
        return self.count(*_WORK[self.name])

    def freeze(self) -> None:
        """Stop it and its children where they are."""
        for each in self._tree():
            each.suspend()

    def thaw(self) -> None:
        """Let them go on."""
        for each in self._tree():
            each.resume()

    def kill(self) -> None:
        """Kill -9 of it and its children."""
        if self.process.poll() is None:
            for each in self._tree():
                with suppress(psutil.NoSuchProcess):  # it went with its parent
                    each.kill()
        self.process.wait()

    def talks(self, port: int) -> bool:
        """Tell whether one of its processes has a connection that begins or ends at this port."""
        connections = [one for each in self._tree() for one in each.net_connections("tcp")]
        return any(
            one.status == psutil.CONN_ESTABLISHED and port in (one.laddr.port, one.raddr.port) for one in connections
        )

    def _tree(self) -> list[psutil.Process]:
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port(self.name)}{path}", timeout=30)


@dataclass
class Fleet:
    """All of them; what they share is in `environment`."""

    folder: Path
    environment: Mapping[str, str]
    members: list[Member]
    classifiers: int
    """The port behind which they all are."""

    def of(self, name: str) -> list[Member]:
        """Return those of one kind."""
        return [member for member in self.members if member.name == name]

    def start(self, member: Member) -> None:
        """Start one, for the first time or again."""
        own = {"SCINTIFLOW_PORT_OFFSET": str(member.offset), "TMPDIR": str(self.folder)}
        with (self.folder / f"{member.name}-{member.number}.log").open("ab") as log:
            member.process = subprocess.Popen(
                [sys.executable, "-m", f"scintiflow.{member.name}"],
                stdout=log,
                stderr=log,
                env=os.environ | self.environment | own,
            )

    def wait_until_ready(self, members: list[Member]) -> None:
        """Wait until all of these say that they are ready."""
        wait_for(lambda: all(member.ready() for member in members), SECONDS_TO_START, every=0.3)


@contextmanager
def running_fleet(folder: Path, sizes: Mapping[str, int], environment: Mapping[str, str]) -> Iterator[Fleet]:
    """Run so many processes of each kind until the block ends; routers reach classifiers through a round robin."""
    members = [Member(name, number) for name, count in sizes.items() for number in range(1, count + 1)]
    classifiers = [member.port("classifier") for member in members if member.name == "classifier"]
    with RoundRobin(classifiers) as spread, ExitStack() as ending:
        url = {"SCINTIFLOW_ROUTER_CLASSIFIER_URL": f"http://127.0.0.1:{spread.port}"}
        fleet = Fleet(folder, {**environment, **url}, members, spread.port)
        for member in members:
            fleet.start(member)
            ending.callback(member.kill)
        fleet.wait_until_ready(members)
        yield fleet
