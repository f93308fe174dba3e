"""What a scan may be asked to be: named conditions, each known or not, as slots of a vector and as manifest tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MOST_LOAD = 20.0
"""Bone scan index, percent of skeletal mass, from which on more makes no difference."""
GRADES = ("0", "1", "2", "3")
SEXES = ("F", "M")
_HEALTHY = {
    name: np.array([value])
    for name, value in {"metastatic": False, "cardiac": False, "load": 0.0, "perugini": "0"}.items()
}
_QUANTILES = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Flag:
    """Yes or no: one slot."""

    name: str
    width: Literal[1] = 1

    def slots(self, values: NDArray[np.bool_]) -> Floats:
        """Return [n, 1] of 0 and 1."""
        return np.asarray(values, np.float32)[:, None]

    def table(self) -> str:
        """Return what the manifest says."""
        return f'name = "{self.name}"\nkind = "flag"\n'


@dataclass(frozen=True)
class Number:
    """A quantity, from 0 (lowest) to 1 (highest) on a logarithmic scale, log(1 + x): one slot."""

    name: str
    high: float
    unit: str
    drawn_from: tuple[float, ...]
    """Quantiles, from the lowest to the highest, of those that have any."""
    width: Literal[1] = 1

    def slots(self, values: NDArray[np.floating]) -> Floats:
        """Return [n, 1] between 0 and 1."""
        scaled = np.log1p(np.clip(values, 0, self.high)) / np.log1p(self.high)
        return np.asarray(scaled, np.float32)[:, None]

    def table(self) -> str:
        """Return what the manifest says."""
        quantiles = ", ".join(f"{value:.4g}" for value in self.drawn_from)
        return (
            f'name = "{self.name}"\nkind = "number"\nscale = "log1p"\nlow = 0.0\nhigh = {self.high}\n'
            f'unit = "{self.unit}"\ndrawn_from = [{quantiles}]\n'
        )


@dataclass(frozen=True)
class Choice:
    """One of some values: a slot for each of them."""

    name: str
    values: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many slots there are."""
        return len(self.values)

    def slots(self, values: NDArray[np.str_]) -> Floats:
        """Return [n, width] with a 1 where the value is; only zeros for another value."""
        return np.asarray(values[:, None] == np.array(self.values), np.float32)

    def table(self) -> str:
        """Return what the manifest says."""
        values = ", ".join(f'"{value}"' for value in self.values)
        return f'name = "{self.name}"\nkind = "choice"\nvalues = [{values}]\n'


Condition: TypeAlias = Flag | Number | Choice


class Known(NamedTuple):
    """Conditions of n scans, as the graph takes them."""

    condition: Floats
    """[n, slots]; 0 where it is not known."""
    known: Floats
    """[n, slots] of 0 and 1."""

    def rows(self, rows: NDArray[np.intp]) -> "Known":
        """Return some scans."""
        return Known(self.condition[rows], self.known[rows])


def conditions(load: NDArray[np.floating], tracers: Sequence[str], scanners: Sequence[str]) -> tuple[Condition, ...]:
    """Return what a generator can be asked for that learns from scans of these loads, tracers and scanners."""
    some = load[load > 0]
    drawn_from = np.quantile(some, _QUANTILES) if len(some) else np.linspace(0.1, MOST_LOAD, len(_QUANTILES))
    return (
        Flag("metastatic"),
        Flag("cardiac"),
        Number("load", MOST_LOAD, "percent of skeletal mass (bone scan index)", tuple(map(float, drawn_from))),
        Choice("perugini", GRADES),
        Choice("tracer", tuple(sorted(set(tracers)))),
        Choice("scanner", tuple(sorted(set(scanners)))),
        Choice("sex", SEXES),
    )


def encode(asked: Sequence[Condition], values: Mapping[str, NDArray[np.generic]], scans: int) -> Known:
    """Return the slots of `scans` scans; a condition that is not among `values`, or NaN or empty there, is unknown."""
    filled, known = [], []
    for condition in asked:
        column = values.get(condition.name)
        told = np.zeros(scans, bool) if column is None else _told(column)
        slots = np.zeros((scans, condition.width), np.float32)
        if column is not None and told.any():
            slots[told] = condition.slots(column[told])  # type: ignore[arg-type]
        filled.append(slots)
        known.append(np.repeat(told[:, None], condition.width, axis=1).astype(np.float32))
    return Known(np.hstack(filled), np.hstack(known))


def without_disease(asked: Sequence[Condition]) -> tuple[Floats, Floats]:
    """Return which slots say nothing about disease, 1 there and else 0, and what the others are in the healthy."""
    told = encode(asked, _HEALTHY, scans=1)
    return 1 - told.known[0], told.condition[0]


def forgotten(
    asked: Sequence[Condition], given: Known, chance: np.random.Generator, *, each: float, all: float
) -> Known:
    """Forget conditions at random, so that the generator learns what to do without them.

    Args:
        asked: in the order of the slots.
        given: what is known.
        chance: decides.
        each: share of scans in which a condition is forgotten.
        all: share in which everything is.
    """
    scans = len(given.known)
    everything = chance.random(scans) < all
    keep = [(chance.random(scans) >= each) & ~everything for _ in asked]
    kept = np.hstack(
        [np.repeat(one[:, None], condition.width, axis=1) for one, condition in zip(keep, asked, strict=True)]
    )
    return Known(given.condition * kept, given.known * kept)


def _told(column: NDArray[np.generic]) -> NDArray[np.bool_]:
    if column.dtype.kind == "f":
        return np.asarray(~np.isnan(column), bool)
    return np.asarray(column != "", bool) if column.dtype.kind == "U" else np.ones(len(column), bool)
