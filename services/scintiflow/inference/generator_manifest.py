"""What a generator says about itself: the conditions that it has learnt, and the scans that vouch for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineChoice, Fact, FileName, Model, load_as
from scintiflow.inference.session import Floats

Said = Mapping[str, bool | float | int | str]
"""Name of a condition -> its value; what is missing is left open."""


class Flag(Fact):
    """Something that a scan has or has not: one slot, 0 or 1."""

    kind: Literal["flag"]
    name: str

    @property
    def slots(self) -> int:
        """How many numbers of the condition vector it takes."""
        return 1

    def encode(self, value: bool | float | int | str) -> Sequence[float]:
        """Return its slots."""
        return [float(value)]


class Number(Fact):
    """A quantity: one slot, 0 at `low` and 1 at `high`, straight or on a logarithmic scale between."""

    kind: Literal["number"]
    name: str
    scale: Literal["identity", "log1p"] = "identity"
    low: float
    high: float
    unit: str
    drawn_from: tuple[float, ...] = Field(min_length=2)
    """Its quantiles from 0 to 1 at equal steps, over the scans that have any of it."""

    @property
    def slots(self) -> int:
        """How many numbers of the condition vector it takes."""
        return 1

    def encode(self, value: bool | float | int | str) -> Sequence[float]:
        """Return its slot."""
        at, low, high = (self._scaled(each) for each in (float(value), self.low, self.high))
        return [(at - low) / (high - low)]

    def draw(self, random: np.random.Generator) -> float:
        """Return a value as scans that have any of it have it."""
        return float(np.interp(random.random(), np.linspace(0, 1, len(self.drawn_from)), self.drawn_from))

    def _scaled(self, value: float) -> float:
        return float(np.log1p(value)) if self.scale == "log1p" else value

    @model_validator(mode="after")
    def _rises(self) -> "Number":
        if not self.low < self.high or list(self.drawn_from) != sorted(self.drawn_from):
            raise ValueError("low is below high, and the quantiles in drawn_from rise")
        return self


class Choice(Fact):
    """One of a few values: a slot for each, of which one is 1."""

    kind: Literal["choice"]
    name: str
    values: tuple[str, ...] = Field(min_length=1)

    @property
    def slots(self) -> int:
        """How many numbers of the condition vector it takes."""
        return len(self.values)

    def encode(self, value: bool | float | int | str) -> Sequence[float]:
        """Return its slots."""
        return [float(str(value) == each) for each in self.values]


Condition = Annotated[Flag | Number | Choice, Field(discriminator="kind")]


class GeneratorTolerance(Fact):
    """How far an engine may be from the golden scans.

    `rate` is a fraction of each golden scan's maximum; `embedding` one of the golden embedding's norm.
    """

    rate: float = Field(gt=0, lt=1)
    embedding: float = Field(gt=0, lt=1)


class GeneratorEngine(EngineChoice):
    """What runs the generator, and the one number of rows that it ever runs: smaller batches are padded."""

    rows: int = Field(ge=1, le=1024)


class GeneratorManifest(Model):
    """One generator, as its folder describes it."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["generator"]
    guard: FileName
    counts: tuple[int, int, int]
    """Lowest, usual and highest mean counts of a view."""
    conditions: tuple[Condition, ...] = Field(alias="condition", min_length=1)
    """In the order of the graph's slots."""
    tolerance: GeneratorTolerance
    engine: GeneratorEngine

    @property
    def slots(self) -> int:
        """The length of the graph's condition vector."""
        return sum(condition.slots for condition in self.conditions)

    def condition(self, name: str) -> Flag | Number | Choice | None:
        """Return the condition of this name, if the generator has learnt it."""
        return next((condition for condition in self.conditions if condition.name == name), None)

    def encode(self, said: Said) -> tuple[Floats, Floats]:
        """Return what is said as the graph takes it: condition and known, each [C]; what is left open is zeros."""
        condition: list[float] = []
        known: list[float] = []
        for each in self.conditions:
            given = each.name in said
            condition += each.encode(said[each.name]) if given else [0.0] * each.slots
            known += [float(given)] * each.slots
        return np.array(condition, np.float32), np.array(known, np.float32)

    @model_validator(mode="after")
    def _agrees(self) -> "GeneratorManifest":
        names = [condition.name for condition in self.conditions]
        if len(set(names)) < len(names):
            raise ValueError("each condition has a name of its own")
        low, usual, high = self.counts
        if not 0 < low <= usual <= high:
            raise ValueError("counts are lowest, usual and highest")
        return self


def load_generator(models: Path) -> GeneratorManifest:
    """Read the manifest of the generator among `models`, and check the graph against it.

    Raises:
        Refused: there is none, or as `manifest.load_as`.
    """
    folder = models / "generator"
    if not (folder / "manifest.toml").exists():
        raise Refused(f"There is no generator in {folder}; put its folder there and start again.")
    return load_as(GeneratorManifest, folder)
