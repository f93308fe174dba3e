"""wrk, a client in C: what it takes of the cores that it shares with a server is little, and said."""

import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_suffix(".lua")
_SAID = re.compile(r"^SAID (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)
_PATIENCE = "120s"


@dataclass(frozen=True)
class Load:
    """What came of a load."""

    answered: int
    """Answers with a status below 400."""
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int
    """Answers with another status, and connections that broke."""


def require_wrk() -> None:
    """Exit with a sentence if it is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("The client of this benchmark is wrk, which is not installed: apt-get install wrk")


def post(url: str, body: bytes, headers: Mapping[str, str], *, connections: int, seconds: int) -> tuple[Load, float]:
    """Post a body over so many connections at once, each time as soon as the last answer is there.

    Returns what came of it, and the CPU time of wrk in seconds.
    """
    said = [f"--header={name}: {value}" for name, value in headers.items()]
    bounds = ["--threads=1", f"--connections={connections}", f"--duration={seconds}s", f"--timeout={_PATIENCE}"]
    command = ["wrk", *bounds, f"--script={_SCRIPT}", *said, url]
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        before = _cpu_seconds_of_children()
        done = subprocess.run(command, env=os.environ | {"BODY": file.name}, capture_output=True, text=True, check=True)
    return read(done.stdout), _cpu_seconds_of_children() - before


def read(said: str) -> Load:
    """Read what the script says; its times are in microseconds, its percentiles corrected for coordinated omission.

    Raises:
        ValueError: it has not come to its end.
    """
    found = _SAID.search(said)
    if found is None:
        raise ValueError(f"wrk did not say how it went: {said}")
    requests, microseconds, p50, p99, refused, broken = map(int, found.groups())
    return Load(requests - refused, microseconds / 1e6, p50 / 1e3, p99 / 1e3, refused + broken)


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
