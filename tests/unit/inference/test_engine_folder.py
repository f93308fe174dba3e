"""Processes that want the same engine at once, from one folder."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

Builder = subprocess.Popen[str]
PATIENCE = 60.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[float], Builder]]:
    """Starts processes of their own, which want one engine and wait for so many seconds; kills those that are left."""
    with ExitStack() as started:

        def start(patience: float) -> Builder:
            command = [sys.executable, "-m", "tests.builder", str(tmp_path / "engines/key"), str(patience)]
            builder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            started.enter_context(builder)
            started.callback(builder.kill)
            return builder

        yield start


def says(builder: Builder) -> str:
    """Return the next line of a process."""
    assert builder.stdout
    return builder.stdout.readline().strip()


def finish(builder: Builder) -> None:
    """Let a process be done with building."""
    assert builder.stdin
    builder.stdin.write("\n")
    builder.stdin.flush()


def test_one_builds_and_the_other_waits_and_loads(start: Callable[[float], Builder]) -> None:
    """Of two processes that want an engine at once, the second says that it waits, and takes what the first built."""
    first = start(PATIENCE)
    assert says(first) == "building"
    second = start(PATIENCE)
    assert "another process builds this engine: waiting" in says(second)
    finish(first)
    assert says(first) == "built"
    assert says(second) == "loaded"


def test_who_waits_too_long_is_told_what_to_do(start: Callable[[float], Builder]) -> None:
    """A builder that is not done in time is named by the lock that it holds, and nothing is built beside it."""
    first = start(PATIENCE)
    assert says(first) == "building"
    second = start(0)
    assert "waiting" in says(second)
    told = says(second)
    assert "not done after 0 s; it holds" in told
    assert "key.lock. End it if it hangs, and start this one again" in told
    finish(first)
    assert says(first) == "built"


def test_a_builder_that_is_killed_hands_over(start: Callable[[float], Builder]) -> None:
    """Its lock ends with it, and what it left half written is built anew by the one that waited."""
    first = start(PATIENCE)
    assert says(first) == "building"
    second = start(PATIENCE)
    assert "waiting" in says(second)
    first.kill()
    assert says(second) == "building"
    finish(second)
    assert says(second) == "built"
