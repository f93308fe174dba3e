"""Who a generator learns from: a frozen archive of scans, one draw of noise each, and what is known about them.

Of simulated patients it learns from those that the classifiers learn from too, and from a few of each other site, so
that it knows other cameras and tracers. Nobody is judged by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintilab.archive import Study, read
from scintilab.archive.split import given_split, split
from scintilab.archive.survey import survey
from scintilab.archive.table import open_archive
from scintilab.generator.conditions import Condition, Known, conditions, encode
from scintilab.parts import PARTS, SEED
from scintilab.phantom.cohort import Cohort, cohort

LEARNT = {"A": PARTS["train"][1], **dict.fromkeys("BCDE", range(2000, 2300))}
"""Numbers by site. A is the site where the generator is made."""
HELD_OUT = {"A": range(14_000, 14_400)}
"""Nobody learns from these; the tokeniser is gated, and copies are told, with them."""

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Simulated:
    """Simulated cohorts, one after another."""

    cohorts: Sequence[Cohort]

    def __len__(self) -> int:
        return sum(map(len, self.cohorts))

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """Copy canvases [n, 2, 512, 256] to memory."""
        return np.stack([cohort.canvas[row] for cohort, row in self._places(rows)]).astype(np.float32)

    def lesions(self, rows: Rows) -> NDArray[np.bool_] | None:
        """Return where metastases are, [n, 2, 512, 256]."""
        packed = np.stack([cohort.truth.metastasis_mask[row] for cohort, row in self._places(rows)])
        return np.unpackbits(packed, axis=-1).astype(bool)

    def _places(self, rows: Rows) -> list[tuple[Cohort, int]]:
        """Return the cohort of each row, and its row there."""
        starts = np.cumsum([0, *map(len, self.cohorts)])
        which = np.searchsorted(starts, rows, side="right") - 1
        return [(self.cohorts[one], int(row - starts[one])) for one, row in zip(which, rows, strict=True)]

    def column(self, name: str) -> NDArray[Any]:
        """Return what is known of every scan under a name of `Truth`."""
        return np.concatenate([getattr(cohort.truth, name) for cohort in self.cohorts])

    def values(self) -> Mapping[str, NDArray[np.generic]]:
        """Return conditions by name."""
        return {
            "metastatic": self.column("metastases") > 0,
            "cardiac": self.column("perugini") >= 2,
            "load": self.column("bsi"),
            "perugini": self.column("perugini").astype(str),
            "tracer": self.column("tracer"),
            "scanner": self.column("scanner"),
            "sex": self.column("sex"),
        }


@dataclass(frozen=True, eq=False)
class Archived:
    """An archive of real scans with both views."""

    studies: Sequence[Study]

    def __len__(self) -> int:
        return len(self.studies)

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """Decode canvases [n, 2, 512, 256]."""
        return read([self.studies[row] for row in rows]).canvas

    def lesions(self, rows: Rows) -> NDArray[np.bool_] | None:
        """Return None: nobody knows every focus."""
        return None

    def values(self) -> Mapping[str, NDArray[np.generic]]:
        """Return conditions by name: grade, tracer and sex as far as known, and answers that all studies have."""
        told: dict[str, NDArray[np.generic]] = {
            "perugini": np.array(["" if one.perugini is None else str(one.perugini) for one in self.studies]),
            "tracer": np.array([one.tracer for one in self.studies]),
            "sex": np.array([one.sex for one in self.studies]),
        }
        if all("metastasis" in one.truth for one in self.studies):
            told["metastatic"] = np.array([one.truth["metastasis"] for one in self.studies])
        if all("cardiac" in one.truth for one in self.studies):
            told["cardiac"] = np.array([one.truth["cardiac"] for one in self.studies])
        return told


Source = Simulated | Archived


class Learners(NamedTuple):
    """Whom the generator learns from, who is held out, and what both may be asked for."""

    learnt: Source
    held_out: Source
    asked: tuple[Condition, ...]

    @property
    def slots(self) -> int:
        """How many numbers conditions are."""
        return sum(condition.width for condition in self.asked)

    def known(self) -> Known:
        """Return the conditions of everybody who is learnt from."""
        return encode(self.asked, self.learnt.values(), len(self.learnt))


def simulated(patients: Path, share: float) -> Learners:
    """Return simulated patients, who are made in the folder `patients` when they are missing."""
    learnt = _some(LEARNT, patients, share)
    tracers, scanners = learnt.column("tracer").tolist(), learnt.column("scanner").tolist()
    asked = conditions(learnt.column("bsi").astype(float), tracers, scanners)
    return Learners(learnt, held_out(patients, share), asked)


def held_out(patients: Path, share: float = 1.0) -> Simulated:
    """Return those whom nobody learns from."""
    return _some(HELD_OUT, patients, share)


def _some(parts: Mapping[str, range], patients: Path, share: float) -> Simulated:
    return Simulated(
        [cohort(site, SEED, all[: max(1, round(share * len(all)))], patients) for site, all in parts.items()]
    )


def archived(table: Path) -> Learners:
    """Return an archive's scans; its test part is held out.

    Raises:
        Refused: the archive is not as `scintilab.archive` describes it, or a side of it is empty.
    """
    archive = survey(open_archive(table)).archive()
    given = any(study.part for study in archive.studies)
    parts = given_split(archive) if given else split(archive, seed=1, train=0.8, validate=0.1, test=0.1)
    learnt, held_out = (*parts.train.studies, *parts.validate.studies), parts.test.studies
    if not learnt or not held_out:
        raise Refused(f"{table} has nobody to learn from, or nobody to hold out: use more patients.")
    tracers = [study.tracer for study in learnt if study.tracer]
    return Learners(Archived(learnt), Archived(held_out), conditions(np.zeros(0), tracers, ()))
