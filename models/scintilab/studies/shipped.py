"""The generator of a served folder, run by the engine that serves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scintiflow.errors import Refused
from scintiflow.inference.generator import Generator, check_golden, open_generator
from scintiflow.inference.generator_manifest import Choice, Flag, GeneratorManifest, Number, Said
from scintiflow.inference.manifest import load_as
from scintiflow.inference.session import Floats
from scintilab.phantom.streams import stream
from scintilab.studies.samples import Labels


@dataclass(frozen=True)
class Shipped:
    """A generator with its manifest."""

    manifest: GeneratorManifest
    generator: Generator

    @property
    def name(self) -> str:
        """Name and version."""
        return f"{self.manifest.name} {self.manifest.version}"

    @property
    def digest(self) -> str:
        """SHA-256 of the graph."""
        return self.manifest.digest

    def samples(self, seed: int, first: int, conditions: Labels) -> Floats:
        """Return expected counts on any scale, [n, 2, 512, 256]; see `samples.Generator`.

        Raises:
            Refused: the generator asks for something that no label has, or has not learnt one of these values.
        """
        encoded = [self.manifest.encode(said) for said in self._said(conditions)]
        condition, known = (np.stack(column) for column in zip(*encoded, strict=True))
        noise = [
            stream(seed, first + row, "latent").standard_normal(self.generator.latent, np.float32)
            for row in range(len(condition))
        ]
        return self.generator.run(np.stack(noise), condition, known).rate

    def _said(self, labels: Labels) -> Iterator[Said]:
        """Say all that labels know, a scan at a time."""
        columns = {each.name: _column(each, labels) for each in self.manifest.conditions}
        for row in range(len(labels.counts)):
            yield {name: column[row] for name, column in columns.items()}


def shipped(folder: Path) -> Shipped:
    """Open the generator of a folder.

    Raises:
        Refused: there is none, or not the one that the manifest names, or it does not draw what its maker saw.
    """
    if not (folder / "manifest.toml").exists():
        raise Refused(f"{folder} holds no generator: make it first.")
    manifest = load_as(GeneratorManifest, folder)
    generator = open_generator(manifest)
    check_golden(generator, manifest)
    return Shipped(manifest, generator)


def _column(condition: Flag | Number | Choice, labels: Labels) -> list[bool | float | str]:
    """Return what labels say of one condition, [n]."""
    column = labels._asdict().get(condition.name)
    if column is None:
        raise Refused(f"The generator asks for {condition.name}, which no label has.")
    if isinstance(condition, Number):
        column = np.clip(column, condition.low, condition.high)
    if isinstance(condition, Choice) and not set(column.astype(str)) <= set(condition.values):
        raise Refused(f"The generator has learnt {condition.name} {', '.join(condition.values)} alone.")
    said: list[bool | float | str] = column.tolist()
    return said
