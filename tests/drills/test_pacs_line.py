"""The line to a PACS broken at many bytes, and what a hundred failures leave behind."""

import gc
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scintiflow.records import read_record
from scintiflow.store import Store
from tests.deliveries import attempt, folder_of, reported, sender_to
from tests.fault_proxy import FaultProxy, Faults
from tests.pacs import GARBLED, Pacs
from tests.waiting import wait_for

LENGTHS = {"asked": 1400, "answered": 500}
"""Roughly the bytes of one delivery of two small results in each direction."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty DATA."""
    return Store(tmp_path / "data")


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    """A PACS that is well."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture
def line(pacs: Pacs) -> Iterator[FaultProxy]:
    """The way to it."""
    with FaultProxy(pacs.port) as line:
        yield line


@pytest.mark.filterwarnings(*GARBLED)
@pytest.mark.parametrize(
    ("fault", "direction"),
    [
        ("cut_at", "asked"),
        ("cut_at", "answered"),
        ("reset_at", "asked"),
        ("reset_at", "answered"),
        ("flip_at", "answered"),
    ],
)
def test_wherever_the_line_fails_each_instance_arrives_once(
    store: Store, line: FaultProxy, pacs: Pacs, fault: str, direction: str
) -> None:
    """Twenty places for each fault: never a crash, never a marker without the object, never two contents."""
    for number, at in enumerate(random.Random(fault + direction).sample(range(1, LENGTHS[direction]), 20)):
        ready = reported(store, folder_of(number), kinds=("report", "picture"))
        uids = {result.name: result.sop_instance_uid for result in ready.results}
        line.become(direction=direction, **{fault: at})
        attempt(sender_to(store, line.port, timeout=0.5), ready)
        marked = read_record(store, ready.study).delivered.get("pacs", {})
        assert fault == "flip_at" or {uids[name] for name in marked} <= pacs.objects.keys(), at
        line.become()
        assert attempt(sender_to(store, line.port), ready) == "delivered", at
        assert len({sent for sent in pacs.received if sent[0] in uids.values()}) == len(uids), at


def test_a_hundred_failed_associations_leave_nothing_behind(store: Store, line: FaultProxy, pacs: Pacs) -> None:
    """Refused, rejected, silent, torn, garbled and reset: threads and descriptors are back where they were."""
    ready = reported(store, folder_of(0), size=200_000)
    faults: list[Callable[[], None]] = [
        lambda: line.become(refuse=True),
        lambda: line.become(cut_at=100),
        lambda: line.become(direction="asked", cut_at=5_000),
        lambda: line.become(reset_at=100),
        lambda: line.become(flip_at=0),
        line.become,
        lambda: line.become(cut_at=1),
    ]
    silences: list[Callable[[], None]] = [
        lambda: line.become(hang_at=0),
        lambda: line.become(hang_at=100),
        lambda: line.become(direction="asked", hang_at=50_000),
    ]
    failing, silent = itertools.cycle(faults), itertools.cycle(silences)

    def fail(times: int) -> None:
        for number in range(times):
            next(silent if number % 10 == 9 else failing)()
            title = "NOBODY" if line.faults == Faults() else "PACS"  # whom a PACS that is well rejects
            sender = sender_to(store, line.port, ae_title=title, timeout=0.2, slowest_bytes_per_second=1e7)
            assert attempt(sender, ready) != "delivered"
        line.become(refuse=True)

    fail(30)
    threads, descriptors = _threads(), _descriptors()
    fail(100)
    wait_for(lambda: _threads() <= threads + 1 and _descriptors() <= descriptors + 2, seconds=20, every=0.5)


def _threads() -> int:
    return threading.active_count()


def _descriptors() -> int:
    gc.collect()
    return int(psutil.Process().num_fds())
