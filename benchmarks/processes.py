"""Programs that a benchmark runs beside itself, with the processes that they start."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_SECONDS_TO_STOP = 10


@contextmanager
def running(
    command: Sequence[str], settings: Mapping[str, str], *, log: Path | None = None
) -> Iterator[psutil.Process]:
    """Run a program with some more environment until the context ends; what it says goes to `log`, or nowhere."""
    with (log or Path(os.devnull)).open("wb") as said:
        started = subprocess.Popen(command, env=os.environ | settings, stdout=said, stderr=said)
    process = psutil.Process(started.pid)
    try:
        yield process
    finally:
        family = _family(process) if started.poll() is None else []
        started.terminate()
        try:
            started.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            started.kill()
        for each in family[1:]:  # whatever it has left behind
            with suppress(psutil.NoSuchProcess):
                each.kill()


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a program's processes so far, those that have ended included."""
    while True:
        try:
            return sum(sum(each.cpu_times()[:4]) for each in _family(process))
        except psutil.NoSuchProcess:  # one ended meanwhile: its time is in its parent's now
            continue


def cpu_of_programs(supervisor: psutil.Process) -> dict[str, float]:
    """Return the CPU time so far of each program that a supervisor runs, with all that it started, and of itself."""
    programs = {program_of(child): cpu_seconds(child) for child in supervisor.children()}
    return programs | {"supervisor": sum(supervisor.cpu_times()[:2])}


def program_of(process: psutil.Process) -> str:
    """Return the name of a process of ours, or of the command that it is."""
    words = process.cmdline()
    modules = [word for word in words if word.startswith("scintiflow.")]
    if modules:
        return modules[0].split(".")[1]
    return Path(words[0].partition(" ")[0]).name if words else process.name()  # Redis writes all it says into one word


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]
