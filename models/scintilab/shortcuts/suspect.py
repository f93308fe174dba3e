"""What might tell sick from healthy without the disease, and how well it does at one site."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintilab.archive import Question
from scintilab.evaluate.acquisition import acquisition, together
from scintilab.evaluate.bootstrap import RESAMPLES, Resampled, Values, resampled_weights
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.learner import LEARNERS, Features, held_back
from scintilab.evaluate.question import QUESTIONS, Rival
from scintilab.evaluate.scans import Truth
from scintilab.phantom.cohort import Cohort, twins
from scintilab.shortcuts.masked import Picture, features, twin, without_chest, without_lesions

FEWEST = 20
"""Sick patients, and healthy ones, that a test needs."""

PICTURES: Mapping[Question, Mapping[str, Picture]] = {
    "metastasis": {"picture without lesions": without_lesions, "picture of the twin": twin},
    "cardiac": {"picture without chest": without_chest, "picture of the twin": twin},
}

Area = Callable[[Truth], Mapping[str, Resampled]]
"""Which scans to keep, [n] -> AUC by name of the learner or score; nothing where too few patients are left."""


@dataclass(frozen=True)
class Suspect:
    """One way to tell, at one site.

    Args:
        name: of what it looks at.
        fixed: it is a score, which may not tell sick from healthy either way round, and not learnt on these scans.
        area: how well it tells.
    """

    name: str
    fixed: bool
    area: Area


def suspects(
    question: Question, scans: Cohort, same: Cohort, scores: Mapping[str, Rival], *, resamples: int = RESAMPLES
) -> list[Suspect]:
    """Return everything that is tried at one site.

    Args:
        question: whose answer must not be told.
        scans: of the site.
        same: their twins without disease (`twins_of`).
        scores: that read a cohort, fitted elsewhere, by name; on twins they must say the same of sick and healthy.
        resamples: of patients.
    """
    truth = QUESTIONS[question].truth(scans)
    patient = scans.truth.patient
    weights = resampled_weights(patient, truth, resamples=resamples, seed=tuple(scans.site.encode()))

    def enough(kept: Truth) -> bool:
        return all(len(np.unique(patient[kept & (truth == sick)])) >= FEWEST for sick in (True, False))

    def area(rows: NDArray[np.intp], score: Values) -> Resampled:
        value = area_under_curve(truth[rows], score)
        return Resampled(float(value), area_under_curve(truth[rows], score, weights[:, rows]))

    def learnt(name: str, columns: Features, rows: NDArray[np.intp]) -> Resampled:
        rest, score = held_back(name, columns[rows], truth[rows], patient[rows])
        return area(rows[rest], score)

    def learners(columns: Features) -> Area:
        return lambda kept: (
            {name: learnt(name, columns, np.flatnonzero(kept)) for name in LEARNERS} if enough(kept) else {}
        )

    def given(score: Values) -> Area:
        return lambda kept: {"score": area(np.flatnonzero(kept), score[kept])} if enough(kept) else {}

    parts = acquisition(same.truth)
    pictures = {name: features(scans, same, picture) for name, picture in PICTURES[question].items()}
    counts = {"counts": acquisition(scans.truth)["counts"], "counts of the twin": parts["counts"]}
    columns = {**parts, **counts, "acquisition": together(parts), **pictures}
    return [
        *(Suspect(name, False, learners(column)) for name, column in columns.items()),
        *(Suspect(f"{name} of the twin", True, given(score(same))) for name, score in scores.items()),
    ]


def twins_of(scans: Cohort, cache: Path) -> Cohort:
    """Return the same patients in the same noise without metastases and cardiac uptake, row by row.

    Raises:
        Refused: the phantom gives other rows than asked for.
    """
    patient = scans.truth.patient
    same = twins(scans.site, scans.seed, range(int(patient.min()), int(patient.max()) + 1), cache)
    if not _rows(scans) == _rows(same):
        raise Refused(f"The twins of site {scans.site} are other patients: remove them from {cache} and start again.")
    return same


def _rows(cohort: Cohort) -> list[tuple[int, int]]:
    columns: NDArray[np.int64] = np.stack([cohort.truth.patient, cohort.truth.visit], axis=1)
    return [(int(patient), int(visit)) for patient, visit in columns]
