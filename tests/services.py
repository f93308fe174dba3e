"""The services that speak HTTP, as processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from scintiflow.config import PORTS
from tests.ports import free_offset
from tests.waiting import wait_for

SECONDS_TO_START = 60


@contextmanager
def service(
    name: str, models: Path, *, offset: int | None = None, **settings: str
) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """Start a service on `models`, its DATA beside them; the client is given once anybody answers, ready or not."""
    offset = free_offset() if offset is None else offset
    environment = os.environ | {
        "SCINTIFLOW_PORT_OFFSET": str(offset),
        "SCINTIFLOW_MODELS": str(models),
        "SCINTIFLOW_DATA": str(models.parent / "data"),
        "TMPDIR": str(models.parent),
        **{f"SCINTIFLOW_{name.upper()}_{setting.upper()}": value for setting, value in settings.items()},
    }
    process = subprocess.Popen([sys.executable, "-m", f"scintiflow.{name}"], env=environment)
    with httpx.Client(base_url=f"http://127.0.0.1:{PORTS[name] + offset}", timeout=60) as client:
        try:
            wait_for(lambda: answers(client), SECONDS_TO_START)
            yield client, process
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(client: httpx.Client) -> bool:
    """Tell whether the server answers its liveness probe."""
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def is_ready(client: httpx.Client) -> bool:
    """Tell whether the server says that it is ready."""
    return client.get("/readyz").status_code == 200


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended, whether or not anybody has asked how."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def metric(client: httpx.Client, name: str, **labels: str) -> float:
    """Read one sample; 0 when there is none."""
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0
