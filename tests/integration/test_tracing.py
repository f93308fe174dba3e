"""What tracing costs the processes of the line: nothing without an endpoint, and no time where one is in trouble."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.otlp import collecting
from tests.ports import free_port

LOADED = """
import sys
from scintiflow.config import Deployment
from scintiflow.keeper import __main__ as keeper
from scintiflow.receiver import __main__ as receiver, listener
from scintiflow.router import __main__ as router
from scintiflow.sender import __main__ as sender
from scintiflow.tracing import open_tracing
for process in ("keeper", "receiver", "router", "sender"):
    assert open_tracing(process, Deployment().otlp_endpoint).export is None
print(*sys.modules)
"""
FLOOD = """
import time
from scintiflow.tracing import open_tracing, received, whole
from scintiflow.store import Store
from pathlib import Path
import sys
tracing = open_tracing("receiver", sys.argv[1], Store(Path(sys.argv[2])))
assert tracing.export
longest = 0.0
for number in range(5000):
    begun = time.perf_counter()
    tracing.tell("f" * 32, received(str(number)), whole(), time.time(), time.time())
    longest = max(longest, time.perf_counter() - begun)
print(longest)
"""
EXPORTER_PATIENCE = 60
"""Seconds that OpenTelemetry's exporter is told to wait: what takes so long has waited for it."""


def test_without_an_endpoint_no_tracing_is_loaded() -> None:
    """The processes of the line import neither an exporter nor OpenTelemetry's spans (redis-py does its metrics)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "scintiflow.tracing.spans" in loaded
    assert not [name for name in loaded if name.startswith(("opentelemetry.exporter", "opentelemetry.sdk.trace"))]


@pytest.mark.parametrize("trouble", ["hangs", "refuses"])
def test_nobody_waits_for_an_endpoint_in_trouble(trouble: str, tmp_path: Path) -> None:
    """More spans than its queue holds are told, and the process ends, without waiting; one line complains."""
    with collecting(hangs=True) as collector:
        endpoint = collector.endpoint if trouble == "hangs" else f"http://127.0.0.1:{free_port()}"
        environment = os.environ | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": str(EXPORTER_PATIENCE),
        }
        command = [sys.executable, "-c", FLOOD, endpoint, str(tmp_path)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=EXPORTER_PATIENCE, check=True
        )
    *complaints, longest = done.stdout.splitlines()
    assert float(longest) < 1
    assert ["spans do not reach the OTLP endpoint" in line for line in complaints] == [True]
