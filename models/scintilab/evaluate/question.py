"""The two questions: who is sick, what is reported apart, what stands beside the model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scintilab.archive import Question
from scintilab.evaluate.acquisition import acquisition, together
from scintilab.evaluate.bootstrap import Values
from scintilab.evaluate.evaluation import CARDIAC_PREVALENCES
from scintilab.evaluate.hot_spots import hot_spots, places
from scintilab.evaluate.learner import learn
from scintilab.evaluate.scans import Names, Scores, Truth
from scintilab.evaluate.tables import Published
from scintilab.phantom.cohort import Cohort
from scintilab.phantom.foci import SUPERSCAN

Rival = Callable[[Cohort], Values]
"""A score that needs no model, [n], higher meaning sick."""


@dataclass(frozen=True)
class Asked:
    """One question to a cohort.

    Args:
        truth: who is sick, [n].
        eligible: which scans the runtime would show to the model, [n].
        burden: how much disease, [n].
        load: columns of disease to report apart, beside those of patient and scanner.
        edges: where columns of numbers are cut into bands.
        rivals: scores that need no model, by name; what they learn, they learn from the training part.
        prevalences: for which to give predictive values.
        published: what others reported.
    """

    truth: Callable[[Cohort], Truth]
    eligible: Callable[[Cohort], Truth]
    burden: Callable[[Cohort], Scores]
    load: Callable[[Cohort], Mapping[str, NDArray[Any]]]
    edges: Mapping[str, Sequence[float]]
    rivals: Callable[[Cohort], Mapping[str, Rival]]
    prevalences: Sequence[float]
    published: Published

    def strata(self, cohort: Cohort) -> dict[str, NDArray[Any]]:
        """Return the columns that are reported apart."""
        truth = cohort.truth
        common = {
            "million counts": truth.counts / 1e6,
            "BMI": truth.bmi,
            "tracer": truth.tracer,
            "scanner": truth.scanner,
        }
        return {**self.load(cohort), **common}


def _metastatic(cohort: Cohort) -> Truth:
    return cohort.metastatic


def _cardiac(cohort: Cohort) -> Truth:
    return cohort.cardiac


def extent(cohort: Cohort) -> Names:
    """Tell superscans from scans with fewer metastases and with none."""
    return np.where(~cohort.metastatic, "none", np.where(superscan(cohort), "superscan", "less"))


def superscan(cohort: Cohort) -> Truth:
    """Tell where so much bone is sick that other organs fade."""
    return cohort.truth.metastases >= SUPERSCAN


def _acquisition(train: Cohort, truth: Truth) -> Rival:
    score = learn(together(acquisition(train.truth)), truth, train.truth.patient)
    return lambda cohort: score(together(acquisition(cohort.truth, like=train.truth)))


def _rivals_of_metastasis(train: Cohort) -> Mapping[str, Rival]:
    told = learn(train.truth.foci.astype(float), train.metastatic, train.truth.patient)
    found = learn(places(train.canvas), train.metastatic, train.truth.patient)
    return {
        "lesion locations": lambda cohort: told(cohort.truth.foci.astype(float)),  # also of foci that nobody can see
        "hot spot locations": lambda cohort: found(places(cohort.canvas)),
        "hot spots": lambda cohort: hot_spots(cohort.canvas),
        "acquisition": _acquisition(train, train.metastatic),
    }


def _rivals_of_cardiac(train: Cohort) -> Mapping[str, Rival]:
    return {
        "heart ratio": lambda cohort: cohort.truth.heart_ratio,
        "hot spots": lambda cohort: hot_spots(cohort.canvas),
        "acquisition": _acquisition(train, train.cardiac),
    }


_EDGES: Mapping[str, Sequence[float]] = {"million counts": (0.5, 1, 1.5), "BMI": (25, 30)}

QUESTIONS: Mapping[Question, Asked] = {
    "metastasis": Asked(
        truth=_metastatic,
        eligible=lambda cohort: cohort.truth.tracer != "PYP",  # which is read for the heart only
        burden=lambda cohort: cohort.truth.bsi,
        load=lambda cohort: {"metastases": cohort.truth.metastases, "extent": extent(cohort)},
        edges={**_EDGES, "metastases": (1, 3, 10)},
        rivals=_rivals_of_metastasis,
        prevalences=(),
        published={"Ibrahim 2023 (Cancer Imaging 23:12)": {"auc": 0.897, "tpr": 0.82, "tnr": 0.80}},
    ),
    "cardiac": Asked(
        truth=_cardiac,
        eligible=lambda cohort: np.ones(len(cohort), np.bool_),
        burden=lambda cohort: cohort.truth.perugini.astype(float),
        load=lambda cohort: {"Perugini": cohort.truth.perugini.astype(str)},
        edges=_EDGES,
        rivals=_rivals_of_cardiac,
        prevalences=CARDIAC_PREVALENCES,
        published={"Finnish CNN, more than (EJNMMI Res 12:27, 2022)": {"auc": 0.88}},
    ),
}
