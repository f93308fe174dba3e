"""`bentoml serve` in a process of ours, and the worker that it starts."""

import os
import sys
import tempfile

from scintiflow.lifetime import die_with_parent, temporary_folder

_SUPERVISOR = "SCINTIFLOW_SUPERVISOR"
_GRACE_SECONDS = 3
"""How long a stop waits for requests that run."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection, so that the client, who knows when it asks, is the one to close it."""


def serve(name: str, service: str, *, host: str, port: int) -> None:
    """Run `bentoml serve` here until told to stop, with a home of its own: two that share one wipe each other's files.

    Args:
        name: of the process.
        service: as BentoML takes it, "module:attribute".
        host: the address to listen on.
        port: the port there.
    """
    die_with_parent()
    with temporary_folder(f"scintiflow-{name}-") as home:
        tempfile.tempdir = str(home)  # it makes more folders, and leaves them behind when it is killed
        os.environ |= {
            "TMPDIR": str(home),
            "BENTOML_HOME": str(home),
            "BENTOML_DO_NOT_TRACK": "True",
            _SUPERVISOR: str(os.getpid()),
        }
        from bentoml_cli.cli import cli

        times = [f"--timeout-graceful-shutdown={_GRACE_SECONDS}", f"--timeout-keep-alive={_KEEP_ALIVE_SECONDS}"]
        cli(["serve", service, f"--host={host}", f"--port={port}", *times], standalone_mode=False)


def stay_with_supervisor() -> None:
    """End with the process that called `serve`: a worker left alone would hold the port and say ready.

    It may be alone already before it comes here. Where nobody called `serve`, its parent is its supervisor.
    """
    die_with_parent()
    if os.environ.get(_SUPERVISOR, str(os.getppid())) != str(os.getppid()):
        sys.exit("The supervisor of this worker is gone.")
