"""A stand-in for NVIDIA's management library, so that what is asked of it can be tested without a GPU."""

import shutil
import subprocess
from pathlib import Path

import pytest


def stand_in_driver(folder: Path) -> dict[str, str]:
    """Build it in `folder`; return the environment in which processes load it. Skips where there is no gcc."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed.")
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name("nvml.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "libnvidia-ml.so.1", source], check=True)
    return {"LD_LIBRARY_PATH": str(folder)}
