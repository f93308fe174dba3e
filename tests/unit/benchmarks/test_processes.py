"""Whose CPU time it is."""

import subprocess
import sys

import psutil

from benchmarks.processes import cpu_of_programs, program_of

CHILD = "import time\nwhile time.process_time() < 0.4: pass"
PROGRAM = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}, "scintiflow.decode.child"], check=True)
print("done", flush=True)
input()
"""
SUPERVISOR = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {PROGRAM!r}, "scintiflow.router"], check=True)
"""


def test_what_a_program_started_counts_as_its_own() -> None:
    """Also after its child has ended, and neither as another program's nor as its supervisor's."""
    command = [sys.executable, "-c", SUPERVISOR]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"done\n"
        found = cpu_of_programs(psutil.Process(supervisor.pid))
        supervisor.communicate(b"\n")
    assert found.keys() == {"router", "supervisor"}
    assert found["router"] >= 0.2 > found["supervisor"]


def test_redis_is_known_by_its_command() -> None:
    """It writes over its arguments, so that all it says is one word that ends with the path of its socket."""
    command = ["/usr/bin/redis-server unixsocket:/run/redis.sock", "-c", "print(flush=True); input()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, executable=sys.executable, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert program_of(psutil.Process(process.pid)) == "redis-server"
        process.communicate(b"\n")
