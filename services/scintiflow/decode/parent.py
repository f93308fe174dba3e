"""The near end of the pipe: starts decoding children, hands them work, and kills those that take too long."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused, Unavailable

START_SECONDS = 60.0
"""Until a new child has imported its decoders, which takes about a second on an idle machine."""

MOST_IDLE = os.cpu_count() or 1

_COMMAND = (sys.executable, "-P", "-m", "scintiflow.decode.child")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_idle: "deque[_Child]" = deque()
"""Warm children that wait for work, the last used at the right."""

_starter = ThreadPoolExecutor(1, thread_name_prefix="decode-starter")
"""A child dies with the *thread* that started it (prctl(2)), so that one must live as long as we do."""


@dataclass(frozen=True)
class Limits:
    """What decoding the frames of one object may cost."""

    seconds: float = 20.0
    """Wall-clock time, for a child that starves or sleeps."""
    cpu_seconds: float = 1.75
    """Time of the processor, which ends bombs; a whole-body scan takes some hundredths of a second."""
    memory_bytes: int = 416 << 20
    """Address space beyond what the warm child has, which is some 65 MiB in memory: 512 MiB hold both."""
    pixel_bytes: int = 64 << 20
    """Decoded size of all frames; a usual whole-body scan has 1 MiB."""


USUAL_LIMITS = Limits()


def counts_of(path: Path, frames: Sequence[int], limits: Limits) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Decode frames (counted from 1) of one file in a child process.

    A child that dies without having broken a limit may have been killed by anybody, so the work is tried once more
    in another one.

    Returns:
        Counts as [frames, rows, cols], and row and column spacing in mm.

    Raises:
        Refused: the frames cannot be decoded within the limits.
        Unavailable: no child process could be started.
    """
    request = {
        "path": str(path),
        "frames": list(frames),
        "cpu_seconds": limits.cpu_seconds,
        "memory_bytes": limits.memory_bytes,
        "pixel_bytes": limits.pixel_bytes,
    }
    for _ in range(2):
        try:
            return _exchange(request, limits)
        except EOFError:
            continue
    raise Refused("The pixels take the decoder down: send the scan again, without compression.")


def warm() -> None:
    """Start a child ahead of the first scan, which would wait a second for its imports.

    Raises:
        Unavailable: no child process could be started.
    """
    _give_back(_borrow())


def _exchange(request: dict[str, Any], limits: Limits) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Let one child do the work; only a child that did it is used again, since a bad file may leave anything behind.

    Raises:
        EOFError: the child died, and not because its time was over.
    """
    child = _borrow()
    watch = _Watch(child, limits.seconds)
    try:
        answer = child.ask(request)
        counts, pixel_mm = child.counts(answer)
    except BaseException as error:
        watch.over()
        child.close()
        if isinstance(error, EOFError) and watch.expired:
            raise _too_slow(limits.seconds) from error
        if isinstance(error, EOFError) and child.spent():
            raise _too_slow(limits.cpu_seconds) from error
        raise
    watch.over()
    _give_back(child)
    return counts, pixel_mm


def _too_slow(seconds: float) -> Refused:
    return Refused(f"The pixels were not decoded within {seconds:g} seconds: send the scan again.")


def _borrow() -> "_Child":
    """Return a warm child, a new one when none is idle."""
    while _idle:
        try:
            child = _idle.pop()
        except IndexError:  # another thread was faster
            break
        if child.alive():
            return child
        child.close()
    return _starter.submit(_start).result()


def _give_back(child: "_Child") -> None:
    _idle.append(child)
    if len(_idle) > MOST_IDLE:
        with suppress(IndexError):  # others took them all meanwhile
            _idle.popleft().close()


def _start() -> "_Child":
    try:
        child = _Child()
    except OSError as error:
        raise Unavailable("No process could be started to decode pixels; check memory and process limits.") from error
    watch = _Watch(child, START_SECONDS)
    try:
        child.answer()
    except EOFError as error:
        child.close()
        raise Unavailable("The decoding process did not start; check the installation and its memory.") from error
    finally:
        watch.over()
    return child


class _Child:
    """One decoding process and its pipes, used by one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders quote what they decode
            env=os.environ | _ONE_THREAD,
            start_new_session=True,  # a Ctrl-C is for us; the child ends with us
        )
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """End the process and leave nothing of it behind."""
        self.kill()
        for pipe in (self._requests, self._answers):
            try:
                pipe.close()
            except BrokenPipeError:  # a request that the dead child never read
                pass
        self._process.wait()

    def spent(self) -> bool:
        """Tell whether its time of the processor, which it limits itself, ended a process that was closed."""
        return self._process.returncode == -signal.SIGPROF

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the answer to it (EOFError when the child is dead)."""
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError as error:
            raise EOFError from error
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Return the next answer, a JSON object after its length in four bytes."""
        answer: dict[str, Any] = json.loads(self._read(int.from_bytes(self._read(4))))
        return answer

    def counts(self, answer: dict[str, Any]) -> tuple[NDArray[np.float32], tuple[float, float]]:
        """Read the pixels that an answer announces."""
        if "refused" in answer:
            raise Refused(answer["refused"])
        frames, rows, cols = answer["shape"]
        row_mm, col_mm = answer["pixel_mm"]
        return np.frombuffer(self._read(4 * frames * rows * cols), "<f4").reshape(frames, rows, cols), (row_mm, col_mm)

    def _read(self, length: int) -> bytes:
        data = self._answers.read(length)
        if len(data) < length:
            raise EOFError
        return data


class _Watch:
    """Kills a child when its time is over."""

    def __init__(self, child: _Child, seconds: float) -> None:
        self.expired = False
        self._child = child
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def over(self) -> None:
        self._timer.cancel()

    def _expire(self) -> None:
        self.expired = True
        self._child.kill()
