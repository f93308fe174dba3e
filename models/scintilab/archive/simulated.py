"""A simulated cohort as an archive: its canvases are made already, and lie on disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scintilab.archive import Archive, Scan, Study
from scintilab.phantom.cohort import Cohort


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


def simulated(cohort: Cohort) -> Archive:
    """Return a cohort, one study a scan."""
    return Archive(tuple(_study(cohort, row) for row in range(len(cohort))))


def _study(cohort: Cohort, row: int) -> Study:
    truth = cohort.truth
    number, visit = int(truth.patient[row]), int(truth.visit[row])
    return Study(
        name=f"simulated patient {number} of site {cohort.site}, visit {visit}",
        patient=f"simulated-{cohort.site}-{cohort.seed}-{number}",
        source=Kept(cohort.canvas[row]),
        truth={"metastasis": bool(cohort.metastatic[row]), "cardiac": bool(cohort.cardiac[row])},
        perugini=int(truth.perugini[row]),
        site=cohort.site,
        age=float(truth.age[row]),
        sex=str(truth.sex[row]),
        tracer=str(truth.tracer[row]),
    )
