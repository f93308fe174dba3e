"""A simulated cohort as an archive: its canvases are made already, and lie on disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scintilab.archive import Archive, Scan, Study
from scintilab.metastasis.population import Population


@dataclass(frozen=True, eq=False)
class Kept:
    """A canvas of both views, [2, 512, 256], mapped from disk."""

    canvas: NDArray[np.float16]

    @property
    def files(self) -> tuple[Path, ...]:
        """Nothing: one file holds the whole cohort."""
        return ()

    def read(self) -> Scan:
        """Copy it to memory."""
        return Scan(self.canvas.astype(np.float32), np.ones(2, np.float32))


def simulated(patients: Population, seed: int) -> Archive:
    """Return the whole of population `seed`, one study a patient."""
    return Archive(
        tuple(
            Study(
                name=f"simulated patient {number} of seed {seed}",
                patient=f"simulated-{seed}-{number}",
                source=Kept(canvas),
                truth={"metastasis": bool(metastatic)},
                site="simulated",
            )
            for number, (canvas, metastatic) in enumerate(zip(patients.canvas, patients.metastatic, strict=True))
        )
    )
