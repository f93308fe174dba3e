"""Memory that was freed."""

import subprocess
import sys

_MAKER = """
import resource, threading
from scintiflow.memory import keep_freed

def pictures():
    blocks = [b"x" * (3 << 20) for _ in range(6)]

def new_pages():
    pictures()
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    pictures()
    print(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

keep_freed()
thread = threading.Thread(target=new_pages)
thread.start()
thread.join()
"""


def test_what_a_picture_needed_is_there_for_the_next_one() -> None:
    """In a thread, as much memory as before brings hardly a page that the kernel has to clear."""
    said = subprocess.run([sys.executable, "-c", _MAKER], capture_output=True, check=True, timeout=60).stdout
    assert int(said) < 100
