"""Scans with their labels, whoever made them: the phantom, or a generator that was asked for them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats
from scintilab.archive import Question
from scintilab.evaluate.answers import Pixels
from scintilab.evaluate.scans import Truth
from scintilab.phantom.cohort import Cohort
from scintilab.phantom.streams import stream

AT_ONCE = 32
CAMERA_PIXELS = 2
"""Whose mean a canvas pixel is, for a matrix of 1024 x 256."""

Rows = NDArray[Any] | slice


class Labels(NamedTuple):
    """What n scans show, or are asked to show, a row each; named as a generator's conditions are."""

    metastatic: NDArray[np.bool_]
    cardiac: NDArray[np.bool_]
    load: NDArray[np.float64]
    """Bone scan index: percent of skeletal mass."""
    perugini: NDArray[np.int64]
    tracer: NDArray[np.str_]
    scanner: NDArray[np.str_]
    sex: NDArray[np.str_]
    counts: NDArray[np.float64]
    """Mean counts of a view."""

    def part(self, rows: Rows) -> "Labels":
        """Return some rows, by mask, by number or as a slice."""
        columns: dict[str, Any] = {name: column[rows] for name, column in self._asdict().items()}
        return Labels(**columns)

    def healthy(self) -> "Labels":
        """Return the same scans of patients without metastases and without cardiac uptake."""
        no, none = np.zeros_like(self.metastatic), np.zeros_like(self.perugini)
        return self._replace(metastatic=no, cardiac=no, load=np.zeros_like(self.load), perugini=none)

    def truth(self, question: Question) -> Truth:
        """Tell who is sick, [n]."""
        return self.metastatic if question == "metastasis" else self.cardiac


class Generator(Protocol):
    """Makes scans that show what they are asked to show."""

    @property
    def digest(self) -> str:
        """What tells it from every other generator."""

    @property
    def name(self) -> str:
        """What to call it, such as "generator 1.0.0"."""

    def samples(self, seed: int, first: int, conditions: Labels) -> Floats:
        """Return expected counts on any scale, [n, 2, 512, 256], >= 0.

        Args:
            seed: of the batch; scan i of it depends on seed, i and its conditions alone.
            first: number of the first of these scans within the batch.
            conditions: a row for each scan.
        """


@dataclass(frozen=True, eq=False)
class Samples:
    """Scans of simulated patients, or made by a generator.

    Args:
        canvas: mean counts per canvas pixel, [n, 2, 512, 256], in memory or mapped from disk; what was counted, or
            what is expected.
        labels: what they show.
        patient: who each is of, [n]; a synthetic scan is of nobody else.
        noise: seed of the Poisson counts drawn from what is expected whenever it is read; None: as they are.
    """

    canvas: NDArray[np.floating]
    labels: Labels
    patient: NDArray[np.str_]
    noise: int | None = None

    def __len__(self) -> int:
        return len(self.patient)

    def part(self, rows: Rows) -> "Samples":
        """Return some rows; a slice leaves the canvas on disk."""
        return replace(self, canvas=self.canvas[rows], labels=self.labels.part(rows), patient=self.patient[rows])

    def expected(self) -> "Samples":
        """Return the scans without noise, where they were made from what is expected."""
        return replace(self, noise=None)

    def read(self, rows: Rows) -> Floats:
        """Bring some scans to memory, float32 [k, 2, 512, 256]; each one's noise is its own and always the same."""
        canvas = self.canvas[rows].astype(np.float32)
        if self.noise is not None:
            for scan, whose in zip(canvas, self.patient[rows], strict=True):
                chance = stream(self.noise, str(whose), "counts")
                scan[:] = chance.poisson(CAMERA_PIXELS * scan) / CAMERA_PIXELS
        return canvas

    def batches(self) -> Iterator[Floats]:
        """Read everything in order, a few scans at a time."""
        for start in range(0, len(self), AT_ONCE):
            yield self.read(slice(start, start + AT_ONCE))

    def pixels(self) -> Pixels:
        """Return the scans as a served graph takes them."""
        digest = hashlib.sha256(f"{self.noise} {' '.join(self.patient)}".encode())
        for start in range(0, len(self), AT_ONCE):
            digest.update(np.ascontiguousarray(self.canvas[start : start + AT_ONCE]).data)
        return Pixels(
            len(self), digest.hexdigest(), lambda rows: (self.read(rows), np.ones((len(rows), 2), np.float32))
        )


def of_cohort(cohort: Cohort) -> Samples:
    """Return a simulated cohort as it was counted."""
    truth = cohort.truth
    labels = Labels(
        metastatic=cohort.metastatic,
        cardiac=cohort.cardiac,
        load=truth.bsi,
        perugini=truth.perugini,
        tracer=truth.tracer,
        scanner=truth.scanner,
        sex=truth.sex,
        counts=truth.counts,
    )
    return Samples(cohort.canvas, labels, np.char.add(f"{cohort.site}-", truth.patient.astype(str)))


def first_scans(cohort: Cohort) -> NDArray[np.intp]:
    """Return the rows of each patient's first scan: every one is somebody else's."""
    return np.flatnonzero(cohort.truth.visit == 0)
