"""Ports of this machine that nobody listens on, and that no other test takes meanwhile."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scintiflow.config import PORTS

PORTS_IN_USE = Path(tempfile.gettempdir()) / f"scintiflow-tests-{os.getuid()}.ports"
"""One byte for each port; a test process locks those that it uses, and the kernel unlocks them when it ends."""
_FIRST, _LAST = 5_000, 32_111
"""All are below those that the kernel gives to whoever connects, so they can be had again after a restart."""

_lock = PORTS_IN_USE.open("a")
_ours: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on, and that is no other test's while this one runs."""
    while True:
        port = random.randint(_FIRST, _LAST)
        if _taken_for_us([port]):
            return port


def free_offset() -> int:
    """Return a port offset at which the same holds for every port of an installation."""
    while True:
        offset = random.randrange(2_000, 21_000)
        if _taken_for_us([port + offset for port in PORTS.values()]):
            return offset


def is_free(port: int) -> bool:
    """Tell whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _taken_for_us(ports: Iterable[int]) -> bool:
    """Take all these ports for this test, if they are free; tell whether they were."""
    free = not _ours.intersection(ports) and all(is_free(port) and _locked(port) for port in ports)
    if free:
        _ours.update(ports)
    return free


def _locked(port: int) -> bool:
    try:
        fcntl.lockf(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    return True
