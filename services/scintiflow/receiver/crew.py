"""The listener processes behind one port: started, replaced when they die, told to stop."""

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, multiprocess

_GRACE_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_GLANCE_SECONDS = 0.2
_PORT_FREE_WITHIN = 10.0


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; listeners of a receiver that was killed may take a moment to leave the port."""
    deadline = time.monotonic() + _PORT_FREE_WITHIN
    while True:
        try:
            return socket.create_server((host, port), backlog=1024)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(_GLANCE_SECONDS)


class Crew:
    """`count` listeners on one inherited socket; their metrics go to files in `metrics`."""

    def __init__(self, listening: socket.socket, count: int, metrics: Path) -> None:
        self._listening = listening
        self._metrics = metrics
        self._listeners = [self._start() for _ in range(count)]

    def work(self, stopped: threading.Event) -> None:
        """Replace every listener that dies, until `stopped`."""
        while not stopped.wait(_GLANCE_SECONDS):
            for place, listener in enumerate(self._listeners):
                if listener.poll() is not None:
                    structlog.get_logger().error("a listener died; starting another", code=listener.returncode)
                    multiprocess.mark_process_dead(listener.pid, str(self._metrics))
                    stopped.wait(_PAUSE_SECONDS)  # a listener that cannot start must not keep us busy
                    self._listeners[place] = self._start()

    def stop(self, drain_seconds: float) -> None:
        """Tell all to finish their associations; kill those that have not after `drain_seconds`."""
        self._listening.close()
        for listener in self._listeners:
            listener.terminate()
        deadline = time.monotonic() + drain_seconds + _GRACE_SECONDS
        for listener in self._listeners:
            try:
                listener.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                listener.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._listening.fileno()
        return subprocess.Popen(
            [sys.executable, "-m", "scintiflow.receiver.listener", str(descriptor), str(os.getpid())],
            pass_fds=[descriptor],
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(self._metrics)},
        )


def readiness(registry: CollectorRegistry) -> str | None:
    """Return why nobody can send now, from the metrics of all listeners, or None."""
    if registry.get_sample_value("scintiflow_receiver_listeners"):
        return None
    return "No listener serves the DICOM port; one is starting, or the log says why none can."
