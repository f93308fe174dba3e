"""Servers that a benchmark compares: ours and its rivals, each in processes of its own, all with the same engine."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.processes import cpu_seconds, running
from benchmarks.questions import Question, Words, form, open_inference, raw
from benchmarks.rivals.engine import in_bytes, opened
from scintiflow.inference.arrays import read_arrays
from scintiflow.inference.engine import INPUTS
from scintiflow.inference.manifest import Manifest
from scintiflow.inference.session import Floats
from tests.ports import free_port
from tests.services import SECONDS_TO_START, is_gone, is_ready, service
from tests.waiting import wait_for

OURS, STARLETTE, LITSERVE, BATCHABLE, PYTRITON = (
    "scintiflow",
    "bare Starlette",
    "LitServe",
    "BentoML batchable",
    "PyTriton",
)
_NEAR = 1e-3


class LeftOut(Exception):
    """A rival that this machine cannot show; says why, and what to do."""


@dataclass(frozen=True)
class Scan:
    """What everybody is asked, and what everybody must answer: canvas [1, 2, h, w], present [1, 2], raw values."""

    canvas: Floats
    present: Floats
    answer: bytes


@dataclass(frozen=True)
class Server:
    """One that runs."""

    port: int
    process: psutil.Process
    question: Question

    @property
    def url(self) -> str:
        """Where the question goes."""
        return f"http://127.0.0.1:{self.port}{self.question.path}"

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its processes so far."""
        return cpu_seconds(self.process)


@dataclass(frozen=True)
class Rival:
    """A server that is not ours."""

    name: str
    program: str
    """Of `benchmarks.rivals`."""
    package: str
    """What must be installed, as the package index calls it."""
    words: Words


RIVALS = (
    Rival(STARLETTE, "bare_starlette", "uvloop", raw),
    Rival(LITSERVE, "litserve_server", "litserve", raw),
    Rival(BATCHABLE, "bentoml_batchable", "bentoml", form),
    Rival(PYTRITON, "pytriton_server", "nvidia-pytriton", open_inference),
)


@dataclass(frozen=True)
class Environments:
    """Virtual environments of the rivals; none of theirs is a dependency of ours."""

    rivals: Path
    triton: Path

    def python(self, rival: Rival) -> Path:
        """Return the interpreter that runs a rival; BentoML is ours already."""
        folder = {BATCHABLE: Path(sys.prefix), PYTRITON: self.triton}.get(rival.name, self.rivals)
        return folder / "bin" / "python"


class BareEngine:
    """The engine in a process of its own that does nothing else."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._known = psutil.Process(process.pid)

    def run(self, seconds: float, waiting: int) -> tuple[int, list[float]]:
        """Call it again and again, in batches as a service makes them where so many scans wait.

        Returns the scans in a call, and the milliseconds of each call.
        """
        assert self._process.stdin is not None
        print(seconds, waiting, file=self._process.stdin, flush=True)
        return self.heard()

    def heard(self) -> tuple[int, list[float]]:
        """Wait for what it says next."""
        assert self._process.stdout is not None
        rows, milliseconds = json.loads(self._process.stdout.readline())
        return rows, milliseconds

    def cpu_seconds(self) -> float:
        """Return its CPU time so far."""
        return cpu_seconds(self._known)


@contextmanager
def bare_engine(model: Path) -> Iterator[BareEngine]:
    """Run the engine of the model in a folder."""
    command = [sys.executable, "-m", "benchmarks.rivals.bare_engine", str(model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        engine = BareEngine(process)
        engine.heard()
        yield engine


@contextmanager
def ours(model: Path, scan: Scan) -> Iterator[Server]:
    """Run our classifier service with one model."""
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "models"
        served.mkdir()
        (served / model.name).symlink_to(model.resolve())
        with service("classifier", served) as (client, process):
            wait_for(lambda: is_ready(client), SECONDS_TO_START)
            question = open_inference(model.name, scan.canvas, scan.present)
            server = Server(client.base_url.port or 0, psutil.Process(process.pid), question)
            _require_answer(server, scan)
            yield server


def in_bulk(server: Server, model: Path, scan: Scan, scans: int) -> Server:
    """Return our service as a client meets it that asks for so many scans in one request."""
    canvas, present = (np.repeat(values, scans, axis=0) for values in (scan.canvas, scan.present))
    return replace(server, question=open_inference(model.name, canvas, present))


@contextmanager
def rival(which: Rival, python: Path, model: Path, scan: Scan) -> Iterator[Server]:
    """Run a rival with one model.

    Raises:
        LeftOut: it is not installed, or does not come up.
    """
    version_of(which, python)
    port, question = free_port(), which.words(model.name, scan.canvas, scan.present)
    command = [str(python), "-m", f"benchmarks.rivals.{which.program}", str(port), str(model.resolve())]
    with tempfile.NamedTemporaryFile() as log, running(command, {}, log=Path(log.name)) as process:
        server = Server(port, process, question)
        _await_answer(server, Path(log.name))
        _require_answer(server, scan)
        yield server


def version_of(which: Rival, python: Path) -> str:
    """Return the version of a rival that is installed.

    Raises:
        LeftOut: none is.
    """
    asked = f"from importlib.metadata import version; print(version('{which.package}'))"
    if python.exists():
        said = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            return said.stdout.strip()
    raise LeftOut(f"{python} has no {which.package}; `make rivals` sets it up.")


def golden_scan(manifest: Manifest) -> Scan:
    """Return the first golden scan of a model and what the engine of this machine says of it."""
    golden = read_arrays(manifest.folder / manifest.golden, INPUTS)
    canvas, present = golden["canvas"][:1], golden["present"][:1]
    return Scan(canvas, present, in_bytes(opened(manifest.folder).run(canvas, present)))


def _await_answer(server: Server, log: Path) -> None:
    try:
        wait_for(lambda: is_gone(server.process) or _answers(server), SECONDS_TO_START, every=0.2)
    except AssertionError as error:
        raise LeftOut("It does not answer.") from error
    if is_gone(server.process):
        raise LeftOut(f"It ended: {(log.read_text().strip().splitlines() or ['it said nothing'])[-1]}")


def _answers(server: Server) -> bool:
    try:
        return _asked(server).is_success
    except httpx.TransportError:
        return False


def _require_answer(server: Server, scan: Scan) -> None:
    found = np.frombuffer(server.question.values(_asked(server).raise_for_status()), "<f4")
    np.testing.assert_allclose(found, np.frombuffer(scan.answer, "<f4"), rtol=_NEAR, atol=_NEAR)


def _asked(server: Server) -> httpx.Response:
    return httpx.post(server.url, content=server.question.body, headers=dict(server.question.headers), timeout=10)
