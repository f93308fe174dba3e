"""What is said of GPUs, with the real pynvml on a stand-in for NVIDIA's library."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.nvml import stand_in_driver

SCRAPE_TWICE = """
from prometheus_client import CollectorRegistry, generate_latest
from scintiflow.serving.gpus import watch_gpus
registry = CollectorRegistry()
watch_gpus(registry)
generate_latest(registry)
print(generate_latest(registry).decode())
"""
GPU = {"gpu": "0", "uuid": "GPU-00000000-0000-0000-0000-000000000001"}


def said(**environment: str) -> dict[str, float]:
    """What a process says of its GPUs at the second scrape, by name; every sample is of the one GPU."""
    run = [sys.executable, "-c", SCRAPE_TWICE]
    page = subprocess.run(run, env=os.environ | environment, capture_output=True, text=True, check=True).stdout
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    assert all(GPU.items() <= sample.labels.items() for sample in samples)
    return {sample.name.removeprefix("scintiflow_gpu_"): sample.value for sample in samples}


def test_figures_are_in_base_units(tmp_path: Path) -> None:
    """Percent, milliwatts and millijoules of NVML come out as ratios, watts and joules, and each fault counts once."""
    assert said(NVML_FAULTS="2", **stand_in_driver(tmp_path)) == {
        "info": 1,
        "busy_ratio": 0.42,
        "memory_bytes": 80 << 30,
        "memory_used_bytes": 8 << 30,
        "power_watts": 250.5,
        "energy_joules_total": 1234.5,
        "temperature_celsius": 61,
        "xid_errors_total": 2,
        "tensor_active_ratio": 0.3,
        "memory_bandwidth_ratio": 0.2,
    }


def test_without_a_driver_nothing_is_said(tmp_path: Path) -> None:
    """A machine whose library cannot be loaded exports no figure, and no error stops the process."""
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"no library")
    assert said(LD_LIBRARY_PATH=str(tmp_path)) == {}
