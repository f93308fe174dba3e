"""What is evaluated: a plain table of scans, one row each, whoever simulated or archived them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.bool_]
Scores = NDArray[np.floating]
Names = NDArray[np.str_]


@dataclass(frozen=True)
class Fate:
    """What became of the patient after each scan; every array is [n].

    Args:
        years: from the scan to death or to the end of observation.
        died: whether that was death.
        burden: the true amount of disease at the scan, such as the bone scan index; None where nobody knows.
    """

    years: Scores
    died: Truth
    burden: Scores | None = None

    def part(self, rows: NDArray[Any]) -> "Fate":
        """Return some rows, given as a mask or by number."""
        return Fate(self.years[rows], self.died[rows], None if self.burden is None else self.burden[rows])


@dataclass(frozen=True)
class Scans:
    """One row a scan; every array is [n].

    Args:
        patient: who was scanned; no patient is at two sites.
        site: where; sites are never pooled.
        visit: puts a patient's scans in order, whatever the numbers are.
        truth: sick or not.
        probability: what the model says, 0 to 1.
        strata: columns to report apart, numbers or names: lesions, counts, BMI, tracer, scanner.
        fate: what became of the patients, where they were followed.
    """

    patient: Names
    site: Names
    visit: NDArray[np.integer]
    truth: Truth
    probability: Scores
    strata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    fate: Fate | None = None

    def __post_init__(self) -> None:
        for name, column in self.columns().items():
            if column.shape != self.truth.shape:
                raise ValueError(f"Column {name} has {len(column)} rows and truth {len(self.truth)}: one row a scan.")
        if self.truth.dtype != np.bool_:
            raise ValueError(f"Truth is {self.truth.dtype}; it must be true or false for every scan.")
        if not ((self.probability >= 0) & (self.probability <= 1)).all():
            raise ValueError("A probability is missing or not between 0 and 1: leave scans that were not read out.")
        self._check_patients()

    def __len__(self) -> int:
        return len(self.truth)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return every column there is, by name."""
        fate = {} if self.fate is None else vars(self.fate)
        return {
            "patient": self.patient,
            "site": self.site,
            "visit": self.visit,
            "probability": self.probability,
            **self.strata,
            **{name: column for name, column in fate.items() if column is not None},
        }

    def sites(self) -> list[str]:
        """Return the names of the sites, sorted."""
        return [str(site) for site in np.unique(self.site)]

    def part(self, rows: NDArray[Any]) -> "Scans":
        """Return some rows, given as a mask or by number."""
        return Scans(
            self.patient[rows],
            self.site[rows],
            self.visit[rows],
            self.truth[rows],
            self.probability[rows],
            {name: column[rows] for name, column in self.strata.items()},
            None if self.fate is None else self.fate.part(rows),
        )

    def first(self) -> Truth:
        """Tell which scans are their patient's first."""
        order = np.lexsort((self.visit, self.patient))
        _, start = np.unique(self.patient[order], return_index=True)
        first = np.zeros(len(self), np.bool_)
        first[order[start]] = True
        return first

    def patients(self, *, sick: bool) -> int:
        """Return how many patients have a sick scan, or a healthy one."""
        return len(np.unique(self.patient[self.truth == sick]))

    def pairs(self) -> int:
        """Return how many pairs of a sick and a healthy patient can be made; one who fell ill may be on both sides."""
        return min(self.patients(sick=True), self.patients(sick=False))

    def _check_patients(self) -> None:
        order = np.lexsort((self.visit, self.patient))
        patient, site, visit = self.patient[order], self.site[order], self.visit[order]
        same = patient[1:] == patient[:-1]
        for row in np.flatnonzero(same & (site[1:] != site[:-1])):
            raise ValueError(f"Patient {patient[row]} is at sites {site[row]} and {site[row + 1]}: split by patient.")
        for row in np.flatnonzero(same & (visit[1:] == visit[:-1])):
            raise ValueError(f"Patient {patient[row]} has two scans of visit {visit[row]}: number them in order.")
