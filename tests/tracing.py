"""System calls of processes that run, seen and made to fail from outside: strace lends its eyes and its hand."""

import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import wait_for


@dataclass(frozen=True)
class Call:
    """One system call that came back."""

    thread: str
    text: str
    begun: int
    """Line of the trace."""
    over: int

    @property
    def succeeded(self) -> bool:
        """Tell whether the kernel answered 0."""
        return re.search(r"\) += 0\b", self.text) is not None


def calls(trace: Path) -> list[Call]:
    """Return what strace -f wrote, in the order in which the calls came back."""
    found, unfinished = [], dict[str, tuple[str, int]]()
    for number, line in enumerate(trace.read_text().splitlines()):
        thread, _, text = line.partition(" ")
        before, begun = unfinished.pop(thread, ("", number))
        if text.endswith("<unfinished ...>"):
            unfinished[thread] = text, number
        else:
            found.append(Call(thread, before + text, begun, number))
    return found


@contextmanager
def injected(strace: str, processes: Iterable[int], fault: str) -> Iterator[None]:
    """Let system calls of `processes` go wrong as `fault` says (strace's -e inject) while the block runs.

    `strace` is the program's path; skips, and says why, where nobody may trace.
    """
    traced = [str(process) for process in processes]
    which = fault.partition(":")[0]
    pids = [word for process in traced for word in ("-p", process)]
    command = [strace, "-f", *pids, "-e", f"trace={which}", "-e", f"inject={fault}", "-o", "/dev/null"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            wait_for(lambda: tracer.poll() is not None or all(map(_is_traced, traced)))
            if tracer.returncode is not None and tracer.stderr is not None:
                pytest.skip(f"Nobody may trace here: {tracer.stderr.read().strip()}")
            yield
        finally:
            tracer.send_signal(signal.SIGINT)  # lets them go
            with suppress(subprocess.TimeoutExpired):
                tracer.wait(10)
            tracer.kill()


def _is_traced(process: str) -> bool:
    return all(map(_is_traced_or_over, Path(f"/proc/{process}/task").iterdir()))


def _is_traced_or_over(task: Path) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return "TracerPid:\t0\n" not in (task / "status").read_text()
    return True
