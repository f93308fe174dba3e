"""What a training needs of its patients: scans, answers, and as much more as is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.archive import Archive, Question, Study, read
from scintilab.archive.split import Parts, given_split, split
from scintilab.archive.survey import survey
from scintilab.archive.table import open_archive
from scintilab.parts import part
from scintilab.phantom.cohort import Cohort

UNKNOWN = -1
HEART_MM = 42.0
"""Radius of a heart, about."""
_CANVAS_MM = (4.8, 2.4)
"""Height and width of a canvas pixel, about."""

Rows = NDArray[np.intp]


class Scans(NamedTuple):
    """Some scans, in memory."""

    canvas: NDArray[np.float32]
    """[n, 2, 512, 256], mean counts per canvas pixel."""
    present: NDArray[np.float32]
    """[n, 2]."""
    places: NDArray[np.bool_] | None
    """[n, 2 k, 512, 256]: where k kinds of things are, each on the anterior and on the posterior canvas: metastases and
    other foci, or the heart; None: nobody knows."""


class Material(Protocol):
    """Who is learnt from, or who the threshold is chosen with."""

    @property
    def truth(self) -> NDArray[np.bool_]:
        """The answer to the question, [n]."""

    @property
    def grade(self) -> NDArray[np.int64]:
        """Perugini grade [n]; UNKNOWN where nobody knows it."""

    @property
    def heart_ratio(self) -> NDArray[np.float64]:
        """Counts over the heart to those opposite in the anterior view, [n]; NaN where nobody measured it."""

    def read(self, rows: Rows, *, places: bool = False) -> Scans:
        """Bring some scans to memory, with the places of what the question is about if asked for and known."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated cohort, where everything is known."""

    cohort: Cohort
    question: Question

    @property
    def truth(self) -> NDArray[np.bool_]:
        """The answer to the question, [n]."""
        return self.cohort.metastatic if self.question == "metastasis" else self.cohort.cardiac

    @property
    def grade(self) -> NDArray[np.int64]:
        """Perugini grade, [n]."""
        return self.cohort.truth.perugini

    @property
    def heart_ratio(self) -> NDArray[np.float64]:
        """Heart to contralateral, [n]."""
        return self.cohort.truth.heart_ratio

    def read(self, rows: Rows, *, places: bool = False) -> Scans:
        """Copy some scans to memory."""
        canvas, present = self.cohort.canvas[rows].astype(np.float32), np.ones((len(rows), 2), np.float32)
        return Scans(canvas, present, self._places(rows) if places else None)

    def _places(self, rows: Rows) -> NDArray[np.bool_]:
        truth = self.cohort.truth
        if self.question == "cardiac":
            return np.stack([_hearts(truth.heart[rows]), _hearts(truth.heart[rows])[:, :, ::-1]], axis=1)
        packed = np.concatenate([truth.metastasis_mask[rows], truth.benign_mask[rows]], axis=1)
        return np.unpackbits(packed, axis=-1).astype(bool)


@dataclass(frozen=True, eq=False)
class Archived:
    """An archive of real scans: answers, but nobody knows every focus."""

    studies: Sequence[Study]
    question: Question

    @property
    def truth(self) -> NDArray[np.bool_]:
        """The answer to the question, [n]."""
        return np.array([study.truth[self.question] for study in self.studies])

    @property
    def grade(self) -> NDArray[np.int64]:
        """Perugini grade, [n]."""
        return np.array([UNKNOWN if study.perugini is None else study.perugini for study in self.studies])

    @property
    def heart_ratio(self) -> NDArray[np.float64]:
        """NaN: an archive has no such column."""
        return np.full(len(self.studies), np.nan)

    def read(self, rows: Rows, *, places: bool = False) -> Scans:
        """Decode some scans."""
        batch = read([self.studies[row] for row in rows])
        return Scans(batch.canvas, batch.present, None)


def _hearts(middle: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return discs of HEART_MM about row and column [n, 2], on the canvas [n, 512, 256]."""
    rows, cols = np.ogrid[:HEIGHT, :WIDTH]
    down, across = (middle[:, axis, None, None] for axis in (0, 1))
    squares = ((rows + 0.5 - down) * _CANVAS_MM[0]) ** 2 + ((cols + 0.5 - across) * _CANVAS_MM[1]) ** 2
    return np.asarray(squares < HEART_MM**2)


def simulated(question: Question, patients: Path, share: float) -> tuple[Material, Material]:
    """Return who of the site where models are made is learnt from, and who the threshold is chosen with.

    They are simulated once, into the folder `patients`.
    """
    return Simulated(part("train", patients, share), question), Simulated(part("validate", patients, share), question)


def archived(table: Path, question: Question) -> tuple[Material, Material]:
    """Return who of an archive is learnt from, and who the threshold is chosen with; the rest judges.

    Raises:
        Refused: the archive is not as `scintilab.archive` describes it; one line a fault.
    """
    parts = _parts(survey(open_archive(table)).archive().asked(question))
    return Archived(parts.train.studies, question), Archived(parts.validate.studies, question)


def _parts(archive: Archive) -> Parts:
    if any(study.part for study in archive.studies):
        return given_split(archive)
    return split(archive, seed=1, train=0.7, validate=0.1, test=0.2)
