"""A real Prometheus, which scrapes an installation every second."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.ports import free_port
from tests.waiting import wait_for

PROGRAM, PROMTOOL = "/usr/bin/prometheus", "/usr/bin/promtool"
RULES = Path("k8s/monitoring/rules.yml").resolve()

Labels = dict[str, str]


@dataclass(frozen=True)
class Prometheus:
    """One running Prometheus, spoken to over its HTTP API."""

    http: httpx.Client

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.http.base_url)

    def series(self) -> list[Labels]:
        """Return the labels of every series that it holds, the name among them."""
        return self._ask("series", **{"match[]": '{__name__!=""}'})

    def value(self, query: str) -> list[dict[str, Any]]:
        """Return what a query gives now."""
        return self._ask("query", query=query)["result"]

    def up(self) -> set[str]:
        """Return the processes that the latest scrapes reached."""
        return {found["metric"]["process"] for found in self.value("up == 1")}

    def _ask(self, what: str, **parameters: str) -> Any:
        answer = self.http.get(f"/api/v1/{what}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]


@contextmanager
def running_prometheus(program: str, folder: Path, targets: Mapping[str, int]) -> Iterator[Prometheus]:
    """Run it on the shipped rules until the block ends; `targets` are ports of this machine by process."""
    port, configuration = free_port(), folder / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(_scraping(targets)))
    address = f"127.0.0.1:{port}"
    options = {"config.file": configuration, "storage.tsdb.path": folder / "tsdb", "web.listen-address": address}
    command = [program, *(f"--{name}={value}" for name, value in options.items())]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://{address}", timeout=30) as client,
    ):
        prometheus = Prometheus(client)
        try:
            wait_for(lambda: _answers(client), 60)
            wait_for(lambda: prometheus.up() == set(targets), 60)
            yield prometheus
        finally:
            process.terminate()


def _scraping(targets: Mapping[str, int]) -> dict[str, Any]:
    configs = [{"targets": [f"127.0.0.1:{port}"], "labels": {"process": name}} for name, port in targets.items()]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)] if RULES.exists() else [],
        "scrape_configs": [{"job_name": "scintiflow", "static_configs": configs}],
    }


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
