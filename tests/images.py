"""What the Dockerfile says of each image."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """One stage, with what it takes from those that it stands on."""

    name: str
    base: "Stage | None"
    instructions: tuple[tuple[str, str], ...]

    @cached_property
    def all(self) -> tuple[tuple[str, str], ...]:
        """Its instructions, after those of its base."""
        return (*(self.base.all if self.base else ()), *self.instructions)

    def last(self, instruction: str) -> str:
        """Return what the instruction says that holds in the end."""
        return [said for name, said in self.all if name == instruction][-1]

    @property
    def command(self) -> list[str]:
        """What the image runs."""
        return list(json.loads(self.last("CMD")))

    @property
    def ports(self) -> set[int]:
        """Where it listens."""
        return {int(port) for name, said in self.all if name == "EXPOSE" for port in said.split()}

    @property
    def environment(self) -> dict[str, str]:
        """What it sets."""
        said = [pair for name, said in self.all if name == "ENV" for pair in shlex.split(said)]
        return dict(pair.split("=", 1) for pair in said)

    @property
    def probe(self) -> str:
        """The URL that its health is asked at."""
        (url,) = re.findall(r"urlopen\('([^']+)'", self.last("HEALTHCHECK"))
        return str(url)


def base_image() -> str:
    """Return the image that all stages stand on."""
    said = DOCKERFILE.read_text().partition("ARG PYTHON=")[2]
    return said.partition("\n")[0]


def stages() -> dict[str, Stage]:
    """Return every stage of the Dockerfile by its name."""
    found: dict[str, Stage] = {}
    for block in re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]:
        base, name = block.partition("\n")[0].split(" AS ")
        found[name] = Stage(name, found.get(base), tuple(_instructions(block.partition("\n")[2])))
    return found


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            name, _, said = line.partition(" ")
            yield name, said.strip()
