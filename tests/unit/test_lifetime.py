"""When a process ends."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scintiflow.lifetime import temporary_folder

_WAITER = """
import signal, sys
from scintiflow.lifetime import until_stopped
stopped = until_stopped()

def second(frame, event, _):
    if frame.f_code.co_name == "notify_all":
        sys.settrace(None)
        signal.raise_signal(signal.SIGTERM)

print("ready", flush=True)
sys.settrace(second)
stopped.wait()
sys.settrace(None)
"""


def test_a_second_signal_in_the_middle_of_the_first_does_not_hang_the_process() -> None:
    """The kernel tells of a parent's death once for each thread of the parent, so signals to stop come in pairs."""
    with subprocess.Popen([sys.executable, "-c", _WAITER], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


_OWNER = """
import sys
from scintiflow.lifetime import temporary_folder
with temporary_folder("drill-"):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_the_folder_of_a_process_that_was_killed_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 leaves a temporary folder behind; whoever makes the next one removes it, and spares those in use."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command, pipe = [sys.executable, "-c", _OWNER], subprocess.PIPE
    with temporary_folder("drill-") as ours, subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.wait()
        assert len(list(tmp_path.iterdir())) == 2
        with temporary_folder("drill-") as third:
            assert set(tmp_path.iterdir()) == {ours, third}
