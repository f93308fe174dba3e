"""When a process ends: with its parent, or when it is asked to."""

import ctypes
import os
import signal
import threading
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
