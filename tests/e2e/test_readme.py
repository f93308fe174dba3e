"""README.md: every command in it works as printed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graphs import generator_folder
from tests.ports import free_offset
from tests.stack import Stack
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
THE_TWO = ("make demo", "make test")  # these run this test, and are run by it every time
STAYS_UP = "make run"


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Return every command line, in order, without its comment."""
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(THE_TWO)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like a clone, without anybody's configuration and data.

    A generator that draws in no time stands in for the one that ships. The environment is ours, which `make` there
    would fill from the copy if it were old.
    """
    made = (ROOT / ".venv/installed").stat().st_mtime
    assert all((ROOT / name).stat().st_mtime < made for name in ("pyproject.toml", "constraints.txt")), "make install"
    for entry in ROOT.iterdir():
        if entry.name not in ("scintiflow.toml", "var", "demo", ".git", "models"):
            (tmp_path / entry.name).symlink_to(entry)
    models = tmp_path / "models"
    models.mkdir()
    for entry in (ROOT / "models").iterdir():
        if entry.name != "generator":
            (models / entry.name).symlink_to(entry)
    generator_folder(models)
    (tmp_path / "scintiflow.toml").write_text(blocks("toml")[0])
    return tmp_path


@pytest.fixture
def stack(clone: Path) -> Iterator[Stack]:
    """What `make run` starts there."""
    offset, log = free_offset(), clone / "run.log"
    environment = os.environ | {"SCINTIFLOW_PORT_OFFSET": str(offset)}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            STAYS_UP.split(), cwd=clone, env=environment, stdout=output, stderr=output, start_new_session=True
        ) as process,
    ):
        stack = Stack(clone / "var", offset, process, log, clone / "models")
        try:
            wait_for(stack.ready, seconds=90)
            yield stack
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


def test_every_command_works_as_printed(clone: Path, stack: Stack) -> None:
    """All of them, in order, in one shell, beside a running installation; then what is to be typed into a notebook."""
    said = run(stack, clone, "bash", "-euxc", "\n".join(line for line in commands() if line != STAYS_UP))
    assert "metastases" in said or "studies" in said
    assert STAYS_UP in commands()
    for block in blocks("python"):
        assert "(2, 1024, 256) uint16" in run(stack, clone, sys.executable, "-c", block)


def run(stack: Stack, clone: Path, *command: str) -> str:
    """Run a command in the clone, with the port that it names moved as the stack's are; return what it says."""
    moved = [part.replace(":3001", f":{stack.ports['synthesizer']}") for part in command]
    environment = os.environ | {"SCINTIFLOW_PORT_OFFSET": str(stack.offset)}
    ran = subprocess.run(moved, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_every_link_and_picture_is_there() -> None:
    """No relative link of the README points at nothing."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
