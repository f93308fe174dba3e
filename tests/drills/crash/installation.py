"""An installation that may be started again: on the same DATA, at the same ports, under sabotage."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
from redis import Redis

from scintiflow.config import PORTS, embedded_socket
from tests.graphs import skeleton_and_heart
from tests.ports import free_offset, is_free
from tests.stack import CONFIGURATION, SCINTIFLOW, Stack
from tests.waiting import wait_for

_SABOTAGE = Path(__file__).parent / "sabotage"

_WITH_US = """
import os, signal, sys
from scintiflow.lifetime import die_with_parent
die_with_parent(signal.SIGTERM)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Becomes its arguments; a drill that is called off leaves nothing behind."""


class Installation:
    """`scintiflow up` in a folder, with everything it writes, logs and leaves behind."""

    def __init__(self, folder: Path, pacs_port: int) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "up.log"
        self.temporary = folder / "tmp"
        self.offset = free_offset()
        for name in ("armed", "fired", "missing", "stacks"):
            (folder / "sabotage" / name).mkdir(parents=True)
        self.temporary.mkdir()
        self.models = skeleton_and_heart(folder / "models")
        (folder / "scintiflow.toml").write_text(CONFIGURATION.format(port=pacs_port))
        self.stack = self.start()

    def start(self) -> Stack:
        """Start it, or start it again when its supervisor was killed, and wait until it is ready."""
        wait_for(self._ports_are_free)
        command = [
            sys.executable,
            "-c",
            _WITH_US,
            SCINTIFLOW,
            "up",
            "--data",
            self.data,
            "--config",
            self.folder / "scintiflow.toml",
        ]
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [*map(str, command), "--port-offset", str(self.offset)],
                stdout=output,
                stderr=output,
                env=os.environ
                | {
                    "PYTHONPATH": f"{_SABOTAGE}:{os.environ.get('PYTHONPATH', '')}".rstrip(":"),
                    "CRASH_DRILL": str(self.folder / "sabotage"),
                    "SCINTIFLOW_MODELS": str(self.models),
                    "TMPDIR": str(self.temporary),
                },
            )
        self.stack = Stack(self.data, self.offset, process, self.log, self.models)
        wait_for(self.stack.ready, seconds=90, every=0.2)
        return self.stack

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        process = self.stack.process
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()

    def orphans(self, seconds: float) -> list[psutil.Process]:
        """Wait until nothing is left of one whose supervisor was killed; return what is after `seconds`."""
        with suppress(AssertionError):
            wait_for(lambda: not self._left(), seconds, every=0.5)
        return self._left()

    def _left(self) -> list[psutil.Process]:
        sabotage = str(self.folder / "sabotage")
        living = [one for one in psutil.process_iter(["environ", "status"]) if one.info["status"] != "zombie"]
        return [one for one in living if (one.info["environ"] or {}).get("CRASH_DRILL") == sabotage]

    def _ports_are_free(self) -> bool:
        return all(is_free(port + self.offset) for port in PORTS.values())

    def processes(self) -> list[psutil.Process]:
        """Return every process of it."""
        supervisor = psutil.Process(self.stack.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def redis(self) -> Redis:
        """Return a client of its Redis."""
        return Redis(unix_socket_path=str(embedded_socket(self.data)), socket_timeout=5)
