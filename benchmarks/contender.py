"""A graph on an engine, as `benchmarks.engines` measures it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scintiflow.inference.session import Floats

Run = Callable[[], object]


@dataclass(frozen=True)
class Contender:
    """A graph on an engine, or what no engine beats."""

    name: str
    precision: str
    rows: Sequence[int]
    """The batches that it is measured with."""
    flop: float
    """Multiplications and additions of a row."""
    open: Callable[[int], Run]
    """Rows in a batch -> what runs one."""
    on_gpu: bool = False


def noise(shapes: Mapping[str, tuple[int, ...]], rows: int) -> dict[str, Floats]:
    """Return a batch of noise; how long an engine takes does not depend on what is in the picture."""
    chance = np.random.default_rng(1)
    return {name: chance.random((rows, *shape), np.float32) for name, shape in shapes.items()}
