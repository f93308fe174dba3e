"""When a process ends."""

import signal
import subprocess
import sys

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
