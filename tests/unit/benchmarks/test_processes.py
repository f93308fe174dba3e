"""Whose CPU time it is."""

import subprocess
import sys

import psutil

from benchmarks.processes import cpu_of_programs

CHILD = "import time\nwhile time.process_time() < 0.2: pass"
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
    command = [sys.executable, "-c", SUPERVISOR, "scintiflow.up"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"done\n"
        found = cpu_of_programs(psutil.Process(supervisor.pid))
        supervisor.communicate(b"\n")
    assert found.keys() == {"router", "up"}
    assert found["router"] >= 0.2 > found["up"]
