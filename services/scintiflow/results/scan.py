"""The scan that was read, made ready once for every result of its study."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from scintiflow.contracts.v1.study_pb2 import View
from scintiflow.results.greys import greys_of
from scintiflow.results.legality import legal


@dataclass(frozen=True, eq=False)
class Scan:
    """The selected views of one study.

    Attributes:
        frames: as stored, float counts, [rows, cols] each.
        pixel_mm: row and column spacing of `frames` in millimetres.
        headers: of the objects that hold the views, the preferred one first; never changed here.
    """

    frames: Mapping[View, NDArray[np.float32]]
    pixel_mm: tuple[float, float]
    headers: tuple[Dataset, ...]

    @cached_property
    def sources(self) -> tuple[Dataset, ...]:
        """Return of each header what may be said again."""
        return tuple(map(legal, self.headers))

    @cached_property
    def greys(self) -> dict[View, NDArray[np.uint8]]:
        """Return the views as they are printed, anterior first."""
        return greys_of(self.frames, self.pixel_mm)
