"""What wrk says, as its script writes it."""

import pytest

from benchmarks.wrk import read

SAID = """Running 2s test @ http://127.0.0.1:3000/v2/models/cardiac/infer
  1 threads and 8 connections
Requests/sec:    100.00
SAID 210 2000000 7500 21250 8 2
"""


def test_what_came_of_a_load_is_read() -> None:
    """Answers with an error are no answers; times are milliseconds, and seconds for the whole."""
    load = read(SAID)
    assert (load.answered, load.failed, load.seconds) == (202, 10, 2.0)
    assert (load.p50_ms, load.p99_ms) == (7.5, 21.25)


def test_a_run_without_an_end_is_no_result() -> None:
    """What wrk printed is in the error, for it says why."""
    with pytest.raises(ValueError, match="unable to connect"):
        read("unable to connect to 127.0.0.1:3000 Connection refused")
