"""One machine: `scintiflow up` keeps everything alive, shares with nobody, and leaves nothing behind."""

import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path

import psutil
import pytest

from scintiflow.config import PORTS, embedded_socket
from tests.graphs import skeleton
from tests.ports import free_offset, free_port
from tests.stack import CONFIGURATION, SCINTIFLOW, Stack, running_stack
from tests.waiting import wait_for

RULES = CONFIGURATION.format(port=104)
PROCESSES = ["receiver", "keeper", "router", "classifier", "sender"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One installation for the tests that leave it healthy."""
    with running_stack(tmp_path_factory.mktemp("a name with 100% odd #characters?"), RULES) as stack:
        yield stack


def up(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a `scintiflow up` that is expected to give up by itself."""
    return subprocess.run(
        [SCINTIFLOW, "up", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )


def status(stack: Stack) -> dict[str, list[dict[str, object]]]:
    """What `scintiflow status --json` says."""
    command = [SCINTIFLOW, "status", "--json", "--config", stack.data.parent / "scintiflow.toml"]
    found = subprocess.run([*map(str, command)], capture_output=True, check=True, env=stack.environment)
    return json.loads(found.stdout)


def is_well(stack: Stack) -> bool:
    """Tell whether every process, Redis too, is alive and ready."""
    return all(process["alive"] and process["ready"] for process in status(stack)["processes"])


def offspring(stack: Stack) -> list[psutil.Process]:
    """Children and grandchildren of `up`."""
    return psutil.Process(stack.process.pid).children(recursive=True)


def test_everything_is_ready_and_says_what_runs(stack: Stack) -> None:
    """`status --json` names every process as ready, every queue as empty, and the engine that really answers."""
    found = status(stack)
    assert {process["name"] for process in found["processes"]} == {"redis", *PROCESSES}
    assert all(process["alive"] and process["ready"] and process["reason"] is None for process in found["processes"])
    assert [(queue["name"], queue["depth"], queue["parked"]) for queue in found["streams"]] == [
        ("events", 0, 0),
        ("ready", 0, 0),
        ("results:pacs", 0, 0),
    ]
    assert [engine["model"] for engine in found["engines"]] == ["skeleton"]
    assert all(found["engines"][0][fact] for fact in ("engine", "precision", "device"))
    assert set(found["disk"]) == {"used_bytes", "free_bytes"}


def test_the_embedded_redis_is_private(stack: Stack) -> None:
    """Redis listens on one socket that only we can open, and on no port."""
    path = embedded_socket(stack.data)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    (server,) = stack.running("redis-server")
    assert not [connection for connection in server.net_connections("inet") if connection.status == "LISTEN"]


@pytest.mark.parametrize("name", ["redis-server", *(f"scintiflow.{name}" for name in PROCESSES)])
def test_what_is_killed_comes_back(stack: Stack, name: str) -> None:
    """After kill -9 of any process everything is ready again within seconds, without a person."""
    before = min(stack.running(name), key=lambda process: process.create_time())
    before.kill()
    before.wait(30)
    wait_for(lambda: stack.running(name) and stack.ready() and is_well(stack), seconds=45, every=0.2)


def test_a_removed_redis_folder_comes_back(stack: Stack) -> None:
    """Redis killed with everything it had, its folder too, is up again by itself."""
    (server,) = stack.running("redis-server")
    for path in (stack.data / "redis").iterdir():
        path.unlink()
    (stack.data / "redis").rmdir()
    server.kill()
    wait_for(lambda: embedded_socket(stack.data).exists() and stack.ready(), seconds=30, every=0.2)


def test_two_never_share_data(stack: Stack) -> None:
    """A second `up` on the same DATA ends with a sentence that names the first one and the way out."""
    second = up("--data", stack.data)
    assert second.returncode == 1
    assert f"process {stack.process.pid}" in second.stderr
    assert "--data" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_named(stack: Stack, tmp_path: Path) -> None:
    """An `up` whose ports are taken names them and how to move ours."""
    second = up("--data", tmp_path / "data", "--port-offset", str(stack.offset))
    assert second.returncode == 1
    assert f"{stack.dicom_port} (dicom)" in second.stderr
    assert "--port-offset" in second.stderr


def test_a_wrong_configuration_is_told_plainly(tmp_path: Path) -> None:
    """An invalid scintiflow.toml stops `up` with one line a fault, each naming its place."""
    (tmp_path / "scintiflow.toml").write_text('[[destinations]]\nname = "pacs"\nport = 70000\n')
    found = up("--data", tmp_path / "data", "--config", tmp_path / "scintiflow.toml")
    assert found.returncode == 1
    assert "destinations.1.port" in found.stderr
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "data").exists()


def test_an_unusable_folder_is_told_plainly(tmp_path: Path) -> None:
    """A DATA that cannot be made stops `up` with its name and the way out."""
    (tmp_path / "file").write_text("no folder")
    found = up("--data", tmp_path / "file" / "data", "--port-offset", str(free_offset()))
    assert (found.returncode, "choose a folder with --data" in found.stderr) == (1, True)


def test_a_wrong_environment_is_told_plainly(tmp_path: Path) -> None:
    """A setting out of bounds stops `up` with the name of the variable."""
    found = up("--data", tmp_path / "data", SCINTIFLOW_PORT_OFFSET="-1")
    assert (found.returncode, "SCINTIFLOW_PORT_OFFSET" in found.stderr) == (1, True)


def test_a_socket_path_too_long_moves(tmp_path: Path) -> None:
    """DATA with a name too long for a socket gets a private one elsewhere, and no stranger's folder is used."""
    data = tmp_path / ("long-" * 20)
    folder = embedded_socket(data).parent
    folder.mkdir(mode=0o777)
    folder.rename(folder.with_suffix(".stranger"))
    folder.symlink_to(folder.with_suffix(".stranger"))
    try:
        found = up("--data", data, "--port-offset", str(free_offset()))
    finally:
        folder.unlink()
        folder.with_suffix(".stranger").rmdir()
    assert (found.returncode, "is not ours" in found.stderr) == (1, True)


def test_without_rules_the_lines_to_write_are_printed(tmp_path: Path) -> None:
    """Without a scintiflow.toml it starts, allows nobody, and prints the lines that would change that."""
    command = [SCINTIFLOW, "up", "--data", tmp_path / "data", "--config", tmp_path / "scintiflow.toml"]
    with subprocess.Popen(
        [*map(str, command), "--port-offset", str(free_offset())], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = "".join(takewhile(lambda line: line != "port = 104\n", process.stderr))
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert "Nobody may send yet" in said
    assert "[[allow]]" in said
    assert str(tmp_path / "scintiflow.toml") in said


EARLY = """
import os, signal, sys
from circus.sighandler import SysHandler
from scintiflow.cli import app
register = SysHandler._register
def stopped(handler):
    register(handler)
    os.kill(os.getpid(), signal.SIGTERM)
SysHandler._register = stopped
app(["up", *sys.argv[1:]])
"""
"""`scintiflow up` that is told to stop in the moment in which its supervisor would take the signals for itself."""


def test_a_stop_in_the_first_moment_is_heard(tmp_path: Path) -> None:
    """However early it comes, `up` ends and leaves nothing running."""
    command = [sys.executable, "-c", EARLY, "--data", tmp_path / "data", "--config", tmp_path / "scintiflow.toml"]
    with subprocess.Popen([*map(str, command), "--port-offset", str(free_offset())], stderr=subprocess.PIPE) as process:
        try:
            process.wait(60)
        finally:
            process.kill()


@contextmanager
def in_order_of_their_end(processes: Iterable[int]) -> Iterator[Iterator[int]]:
    """Give the processes (by their ids) one by one as the kernel says that they end, however late we hear it."""
    with ExitStack() as open_ones, select.epoll() as ends:
        watched = {os.pidfd_open(process): process for process in processes}
        for descriptor in watched:
            open_ones.callback(os.close, descriptor)
            ends.register(descriptor, select.EPOLLIN)

        def ended() -> Iterator[int]:
            while watched and (found := ends.poll(12)):
                for descriptor, _ in found:
                    ends.unregister(descriptor)
                    yield watched.pop(descriptor)

        yield ended()


def test_ctrl_c_stops_everything_the_receiver_first(tmp_path: Path) -> None:
    """SIGINT ends every process within 10 s, the receiver before the others and Redis last, without an error."""
    with running_stack(tmp_path, RULES) as stack:
        alive = {process.pid: process.name() + " ".join(process.cmdline()) for process in offspring(stack)}
        began = time.monotonic()
        with in_order_of_their_end(alive) as ends:
            stack.process.send_signal(signal.SIGINT)
            gone = [alive[ended] for ended in ends]
        assert stack.process.wait(5) == 0
        assert time.monotonic() - began < 10
    assert len(gone) == len(alive)
    assert "scintiflow.receiver" in gone[0]
    assert "redis-server" in gone[-1]
    assert "Traceback" not in stack.log.read_text()


def test_kill_9_leaves_nothing_behind(tmp_path: Path) -> None:
    """When `up` itself is killed, no child and no grandchild outlives it, and the next `up` takes over."""
    with running_stack(tmp_path, RULES) as stack:
        orphans = offspring(stack)
        assert len(orphans) > len(PROCESSES)
        stack.process.kill()
        stack.process.wait(30)
        wait_for(lambda: not [process for process in orphans if process.is_running()])
    with running_stack(tmp_path, RULES) as again:
        assert again.ready()


def test_a_hopeless_process_is_started_for_ever_and_hurts_nobody(tmp_path: Path) -> None:
    """A process that dies at once is tried again after longer and longer pauses, while the others are ready."""
    offset = free_offset()
    (tmp_path / "scintiflow.toml").write_text(RULES)
    command = [SCINTIFLOW, "up", "--data", tmp_path / "data", "--config", tmp_path / "scintiflow.toml"]
    with (
        (tmp_path / "up.log").open("wb") as log,
        subprocess.Popen(
            [*map(str, command), "--port-offset", str(offset)],
            stderr=log,
            env=os.environ
            | {"SCINTIFLOW_KEEPER_QUIET_SECONDS": "0", "SCINTIFLOW_MODELS": str(skeleton(tmp_path / "models"))},
        ) as process,
    ):
        stack = Stack(tmp_path / "data", offset, process, tmp_path / "up.log")
        try:
            # "is gone" where the supervisor has not seen how it ended
            wait_for(lambda: re.search(r"keeper .*; it starts again in 4 s", stack.log.read_text()), seconds=60)
            wait_for(lambda: stack.ready("receiver", "router", "classifier", "sender"), seconds=60, every=0.2)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def test_a_process_that_cannot_be_started_is_tried_again_and_holds_nobody_up(tmp_path: Path) -> None:
    """While the system starts no process, as without a working folder, the others are heard, and Ctrl-C is too."""
    here = tmp_path / "here"
    here.mkdir()
    with running_stack(tmp_path, RULES, "env", f"--chdir={here}") as stack:
        here.rmdir()
        min(stack.running("scintiflow.keeper"), key=lambda process: process.create_time()).kill()
        wait_for(lambda: "error in 'keeper'" in stack.log.read_text())
        here.mkdir()
        wait_for(lambda: stack.running("scintiflow.keeper") and stack.ready(), seconds=60, every=0.2)
        here.rmdir()
        min(stack.running("scintiflow.router"), key=lambda process: process.create_time()).kill()
        wait_for(lambda: "error in 'router'" in stack.log.read_text())
        stack.process.send_signal(signal.SIGTERM)
        assert stack.process.wait(10) == 0
        assert len(stack.log.read_text()) < 1 << 16


def test_an_unreadable_queue_file_is_set_aside(tmp_path: Path) -> None:
    """An append-only file that Redis cannot read does not keep it down: its content is rebuilt from DATA."""
    redis = tmp_path / "data" / "redis"
    redis.mkdir(parents=True)
    (redis / "appendonly.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n" + b"nonsense\r\n" * 9)
    with running_stack(tmp_path, RULES) as stack:
        assert stack.ready()
    assert (redis / "appendonly.unreadable").exists()


def test_a_redis_elsewhere_is_used_as_it_is(tmp_path: Path) -> None:
    """With SCINTIFLOW_REDIS_URL no Redis is started, and a silent one leaves the processes waiting, not dead."""
    port, offset = free_port(), free_offset()
    command = [SCINTIFLOW, "up", "--data", tmp_path / "data", "--port-offset", str(offset)]
    with (
        (tmp_path / "up.log").open("wb") as log,
        subprocess.Popen(
            [str(part) for part in command],
            stderr=log,
            env=os.environ | {"SCINTIFLOW_REDIS_URL": f"redis://127.0.0.1:{port}"},
        ) as process,
    ):
        stack = Stack(tmp_path / "data", offset, process, tmp_path / "up.log")
        try:
            wait_for(lambda: _listens(PORTS["keeper"] + offset) and stack.ready("receiver"), seconds=60, every=0.2)
            assert not stack.ready("keeper")
            assert not stack.running("redis-server")
            assert "starts again" not in stack.log.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
