"""A folder that keeps what an engine has built, for every process that shares it: one builds, the others wait."""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

import structlog

from scintiflow.errors import Refused, Unavailable

_LOOK_SECONDS = 0.5
Opened = TypeVar("Opened")


def opened_from(folder: Path, opened: Callable[[], Opened], *, patience: float) -> Opened:
    """Do `opened`, which takes what is in `folder` and builds there what is missing, while no other process does it.

    It is done once more, in an empty folder, where what was there is of no use: whoever wrote it may have been killed
    in the middle.

    Raises:
        Unavailable: another process is still at it after `patience` seconds.
    """
    with _held(folder.with_name(f"{folder.name}.lock"), patience):
        used_before = folder.exists()
        try:
            return opened()
        except Refused:
            if not used_before:
                raise
        shutil.rmtree(folder)
        return opened()


@contextmanager
def _held(lock: Path, patience: float) -> Iterator[None]:
    """Hold a file by flock, which the kernel lets go of however this process ends."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        if not _taken(handle):
            structlog.get_logger().info("another process builds this engine: waiting", lock=str(lock), seconds=patience)
            _wait(handle, lock, patience)
        yield


def _wait(handle: IO[str], lock: Path, patience: float) -> None:
    """Look again and again, because flock waits for ever or not at all."""
    deadline = time.monotonic() + patience
    while not _taken(handle):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"Another process builds this engine and is not done after {patience:.0f} s; it holds {lock}."
                " End it if it hangs, and start this one again: an engine that is there by then is used."
            )
        time.sleep(_LOOK_SECONDS)


def _taken(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
