"""Where a figure comes from: machine, versions, commit."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def provenance(*packages: str) -> dict[str, object]:
    """Return what a reader needs to judge a figure; `packages` are those whose version matters."""
    return {
        "commit": _output("git", "describe", "--always", "--dirty"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "packages": {name: version(name) for name in packages},
    }


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
