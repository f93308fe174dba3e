"""When a process ends: with its parent, or when it is asked to; and what it must not leave behind."""

import ctypes
import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(sign: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send `sign` to this process when its parent dies, however the parent dies.

    Without it, kill -9 of a supervisor leaves workers that hold ports and leases. Linux only.
    """
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(sign)) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died between the two calls
        os.kill(os.getpid(), sign)


def until_stopped() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; call it from the main thread.

    The handler only puts into a queue that is made for handlers: setting an event takes a lock, and the second of two
    signals would wait for ever for the first. Two come when a parent with threads dies, for each thread hands us on.
    """
    stopped = threading.Event()
    asked: SimpleQueue[int] = SimpleQueue()

    def stop_when_asked() -> None:
        asked.get()
        stopped.set()

    threading.Thread(target=stop_when_asked, name="stop", daemon=True).start()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda sign, _: asked.put(sign))
    return stopped


@contextmanager
def temporary_folder(prefix: str, within: str | None = None) -> Iterator[Path]:
    """Lend a temporary folder until the block ends; remove those with this prefix whose owners were killed.

    It lies in the folder `within`, or where temporary files usually do.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=within) as name:
        folder = Path(name)
        lock = os.open(folder / "new", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "new").rename(folder / "lock")  # nobody sees it unlocked
        for other in folder.parent.glob(f"{prefix}*"):
            if _is_forsaken(other):
                shutil.rmtree(other, ignore_errors=True)
        try:
            yield folder
        finally:
            os.close(lock)


def _is_forsaken(folder: Path) -> bool:
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except OSError:  # it is somebody else's, or being made
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
