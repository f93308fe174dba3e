"""Receivers that a benchmark compares: ours, and those that people run today, each in processes of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.processes import cpu_seconds, running
from scintiflow.config import PORTS
from scintiflow.up import redis_command
from tests.ports import free_offset, free_port
from tests.waiting import wait_for

AE_TITLE, SENDER = "SCINTIFLOW", "BENCH"
LARGEST_PDU = 131072
ECHOSCU, STORESCP, ORTHANC = "/usr/bin/echoscu", "/usr/bin/storescp", "/usr/sbin/Orthanc"
WITHOUT_DELAY = {"TCP_NODELAY": "1"}  # DCMTK, which is in Orthanc too, else waits for delayed acknowledgements


@dataclass(frozen=True)
class Receiver:
    """One that runs."""

    port: int
    process: psutil.Process
    kept: Callable[[], set[str] | int]
    """Names of the files it keeps, or their number where it names them otherwise."""

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its processes so far, those that have ended included."""
        return cpu_seconds(self.process)


@contextmanager
def ours(folder: Path) -> Iterator[Receiver]:
    """Run `python -m scintiflow.receiver` beside a Redis of its own, as `scintiflow up` does."""
    offset, data = free_offset(), folder / "data"
    (data / "redis").mkdir(parents=True)
    (folder / "scintiflow.toml").write_text(f'[[allow]]\nae_title = "{SENDER}"\n')
    redis = redis_command(data)
    settings = {
        "SCINTIFLOW_DATA": str(data),
        "SCINTIFLOW_CONFIG": str(folder / "scintiflow.toml"),
        "SCINTIFLOW_PORT_OFFSET": str(offset),
        "SCINTIFLOW_REDIS_URL": f"unix://{redis[redis.index('--unixsocket') + 1]}",
        "SCINTIFLOW_RECEIVER_MAXIMUM_BACKLOG": str(10**9),  # no keeper is there to work on it
    }
    command = [sys.executable, "-m", "scintiflow.receiver"]
    with running(list(redis), {}), running(command, settings) as process:
        yield _ready(PORTS["dicom"] + offset, process, lambda: _names(data / "studies"))


@contextmanager
def bare_pynetdicom(folder: Path) -> Iterator[Receiver]:
    """Run pynetdicom as it comes."""
    port = free_port()
    with running([sys.executable, "benchmarks/bare_pynetdicom.py", str(port), str(folder)], {}) as process:
        yield _ready(port, process, lambda: _names(folder))


@contextmanager
def storescp(folder: Path, settings: Mapping[str, str] = WITHOUT_DELAY) -> Iterator[Receiver]:
    """Run DCMTK's receiver with a process for each association; it never calls fsync."""
    port = free_port()
    command = [STORESCP, "--fork", "--max-pdu", str(LARGEST_PDU), "-aet", AE_TITLE, "-od", str(folder), str(port)]
    with running(command, settings) as process:
        yield _ready(port, process, lambda: _names(folder))


@contextmanager
def orthanc(folder: Path, settings: Mapping[str, str] = WITHOUT_DELAY) -> Iterator[Receiver]:
    """Run Orthanc as it comes: it calls fsync for each file (not for its folder)."""
    port, http_port = free_port(), free_port()
    configuration = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "SyncStorageArea": True,
        "HttpPort": http_port,
        "AuthenticationEnabled": False,
        "DicomPort": port,
        "DicomAet": AE_TITLE,
        "DicomAlwaysAllowStore": True,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    address = f"http://127.0.0.1:{http_port}/statistics"
    with running([ORTHANC, str(folder / "orthanc.json")], settings) as process:
        yield _ready(port, process, lambda: int(httpx.get(address).json()["CountInstances"]))


RECEIVERS = {
    "ours": ours,  # file and folders synced before the answer
    "orthanc": orthanc,  # file synced
    "storescp": storescp,  # nothing synced
    "pynetdicom": bare_pynetdicom,  # nothing synced
}


def _ready(port: int, process: psutil.Process, kept: Callable[[], set[str] | int]) -> Receiver:
    echo = [ECHOSCU, "-aet", SENDER, "-aec", AE_TITLE, "127.0.0.1", str(port)]
    wait_for(lambda: subprocess.run(echo, stderr=subprocess.DEVNULL, check=False).returncode == 0, 60, every=0.1)
    return Receiver(port, process, kept)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}
