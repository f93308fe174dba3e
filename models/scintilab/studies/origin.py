"""What a study belongs to: this generator, patients of these priors, this code."""

import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from scintilab.evaluate.provenance import Priors, frozen_priors
from scintilab.studies.samples import Generator

LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Origin:
    """Generator, patients, and code.

    Args:
        generator: what it is called.
        digest: of it.
        priors: of the simulated patients.
        commit: of the code; None where it is not in a repository.
        versions: of what computes.
        seed: of every draw.
    """

    generator: str
    digest: str
    priors: Priors
    commit: str | None
    versions: dict[str, str]
    seed: int


def origin(generator: Generator, seed: int) -> Origin:
    """Say what a study belongs to that is made here and now."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
    return Origin(generator.name, generator.digest, frozen_priors(), _commit(), versions, seed)


def _commit() -> str | None:
    """Return the commit, marked where files differ from it."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    asked = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None
