"""SIGTERM, one process after another, while studies stream in: nothing is lost, nothing is sent twice."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from scintiflow.config import PORTS, embedded_socket
from tests.drills.test_kill_of_each import stream_in
from tests.pacs import SUCCESS, Pacs
from tests.ports import free_offset, is_free
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack
from tests.waiting import wait_for

LINE = ("receiver", "keeper", "router", "classifier", "sender")
PAIRED = ("keeper", "router", "sender")
STUDIES = 24
RESULTS_A_STUDY = 2
LONGEST_STOP_SECONDS = 30


def slowly(uid: str) -> int:
    """Answer as a PACS that is busy, so that a stop meets a C-STORE."""
    time.sleep(0.3)
    return SUCCESS


def beside(stack: Stack, name: str) -> subprocess.Popen[bytes]:
    """Start a second process of one kind, as on another machine with the same DATA and Redis, and wait for it."""
    offset = free_offset()
    elsewhere = {
        "SCINTIFLOW_PORT_OFFSET": str(offset),
        "SCINTIFLOW_REDIS_URL": f"unix://{embedded_socket(stack.data)}",
        "SCINTIFLOW_ROUTER_CLASSIFIER_URL": f"http://127.0.0.1:{PORTS['classifier'] + stack.offset}",
    }
    process = subprocess.Popen([sys.executable, "-m", f"scintiflow.{name}"], env=stack.environment | elsewhere)
    wait_for(lambda: not is_free(PORTS[name] + offset), 60)
    return process


def stopped_well(process: psutil.Process | subprocess.Popen[bytes]) -> None:
    """Ask a process to stop and see that it does in time."""
    process.send_signal(signal.SIGTERM)
    code = process.wait(LONGEST_STOP_SECONDS)
    assert code in (0, None), "None: it is another one's child, whose log tells"


def main_process(stack: Stack, words: str) -> psutil.Process:
    """Return the child of `up` whose command line holds `words`, once there is one."""

    def found() -> list[psutil.Process]:
        return [one for one in stack.running(words) if one.ppid() == stack.process.pid]

    return wait_for(found)[0]


def test_a_rolling_restart_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    """Each process ends well within 30 s and comes back; every study is delivered, each result in one transmission."""
    studies = copies(EXAMPLES, STUDIES)
    with Pacs(answer=slowly) as pacs, running_stack(tmp_path, CONFIGURATION.format(port=pacs.port)) as stack:
        seconds = {name: beside(stack, name) for name in PAIRED}
        sending = threading.Thread(target=stream_in, args=(stack, pacs, studies, RESULTS_A_STUDY))
        sending.start()
        try:
            for number, name in enumerate((*LINE, "redis-server"), start=1):
                wait_for(lambda number=number: len(pacs.objects) >= 4 * number, 60)
                if name in seconds:
                    stopped_well(seconds[name])
                    seconds[name] = beside(stack, name)
                stopped_well(main_process(stack, name if name == "redis-server" else f"scintiflow.{name}"))
            sending.join(120)
            assert not sending.is_alive()
            outcomes = [stack.outcome(study.StudyInstanceUID, 60) for study in studies]
            for second in seconds.values():
                stopped_well(second)
        finally:
            for second in seconds.values():
                second.kill()
        ends = re.findall(r"up \| (\S+) (ended \(\d+\)|was killed by \S+|is gone);", stack.log.read_text())
    assert [outcome.state for outcome in outcomes] == ["delivered"] * STUDIES
    assert len(pacs.received) == len(pacs.objects) == RESULTS_A_STUDY * STUDIES
    assert sorted(name for name, _ in ends) == sorted((*LINE, "redis"))
    assert {how for _, how in ends} <= {"ended (0)", "is gone"}, "gone: the supervisor missed how it ended"


@pytest.mark.parametrize("after", [0.05, 0.5, 1.0, 2.0, 4.0])
def test_a_stop_during_the_start_is_obeyed(tmp_path: Path, after: float) -> None:
    """Whatever a process is at when SIGTERM comes, it is gone soon, with its children and its ports."""
    offset = free_offset()
    settings = {
        "SCINTIFLOW_DATA": str(tmp_path / "data"),
        "SCINTIFLOW_CONFIG": str(tmp_path / "scintiflow.toml"),
        "SCINTIFLOW_PORT_OFFSET": str(offset),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"scintiflow.{name}"], env=os.environ | settings, stderr=subprocess.DEVNULL
        )
        for name in LINE
    ]
    time.sleep(after)  # the moment is the test
    for process in started:
        process.send_signal(signal.SIGTERM)
    codes = {name: process.wait(LONGEST_STOP_SECONDS) for name, process in zip(LINE, started, strict=True)}
    assert set(codes.values()) <= {0, -signal.SIGTERM}
    wait_for(lambda: all(is_free(port + offset) for port in PORTS.values()))
