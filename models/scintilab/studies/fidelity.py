"""Do synthetic scans show what they were asked to show? Measured by networks that the generator has nothing to do with,
and beside it how well these measure scans whose labels are known: no generator can be seen to do better than that."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from scintiflow.inference.session import Floats
from scintilab.archive import Question
from scintilab.evaluate.answers import Reader
from scintilab.evaluate.bootstrap import RESAMPLES, Estimate, Resampled, Values, resampled_weights
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.scans import Truth
from scintilab.studies.compact import Network
from scintilab.studies.compared import Compared, compared, draws
from scintilab.studies.observer import measured
from scintilab.studies.samples import Labels, Samples

Measure = Callable[[Values, Values], float]


@dataclass(frozen=True)
class Agreement:
    """How what was measured in n scans goes with what they were to show.

    The line is that of measured over requested values, by least squares.
    """

    n: int
    rank: Estimate
    """Spearman's correlation."""
    slope: Estimate
    r2: Estimate


@dataclass(frozen=True)
class Fidelity:
    """What was measured in some scans.

    Args:
        load: of scans with metastases: bone scan index, as log(1 + percent).
        load_of_all: of all scans, those without metastases included.
        grade: Perugini grade against the logarithm of the heart's ratio.
        ratios: mean ratio by grade.
    """

    load: Agreement
    load_of_all: Agreement
    grade: Agreement
    ratios: dict[str, float]


def fidelity(network: Network, canvas: Floats, labels: Labels, *, resamples: int = RESAMPLES) -> Fidelity:
    """Measure coarse scans, [n, 2, 256, 64], one a patient, and compare with what they show or were asked to."""
    found = measured(network, canvas)
    requested, seen, sick = np.log1p(labels.load), np.log1p(found.load), labels.metastatic
    ratio = np.log(found.heart_ratio)
    return Fidelity(
        load=agreement(requested[sick], seen[sick], resamples=resamples),
        load_of_all=agreement(requested, seen, resamples=resamples),
        grade=agreement(labels.perugini.astype(float), ratio, resamples=resamples),
        ratios={
            str(grade): float(np.exp(ratio[labels.perugini == grade].mean())) for grade in np.unique(labels.perugini)
        },
    )


def agreement(requested: Values, found: Values, *, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """Estimate how two columns, [n], go together; NaN where there is nothing to compare."""
    drawn = [np.repeat(np.arange(len(found)), row.astype(int)) for row in draws(len(found), resamples, seed)]

    def estimate(measure: Measure) -> Estimate:
        samples = np.array([measure(requested[rows], found[rows]) for rows in drawn])
        return Resampled(measure(requested, found), samples).estimate()

    return Agreement(len(found), *(estimate(measure) for measure in (_rank, _slope, _r2)))


def told(
    question: Question, reader: Reader, synthetic: Samples, real: Samples, *, resamples: int = RESAMPLES
) -> Compared:
    """Return the AUC of the served classifier for normal scans and those that show only what it is asked for.

    Args:
        question: that it answers.
        reader: of its graph.
        synthetic: scans as they would be counted.
        real: phantom scans that it has not learnt from.
        resamples: of patients.
    """
    return compared(*(_area(question, reader, samples, resamples) for samples in (synthetic, real)))


def _area(question: Question, reader: Reader, samples: Samples, resamples: int) -> Resampled:
    labels = samples.labels
    rows = np.flatnonzero(_plain(question, labels))
    some = samples.part(rows)
    score = reader.ask(some.pixels(), f"{len(rows)} scans, {question}").probability.astype(float)
    truth = labels.truth(question)[rows]
    weights = resampled_weights(some.patient, truth, resamples=resamples)
    return Resampled(float(area_under_curve(truth, score, np.ones(len(rows)))), area_under_curve(truth, score, weights))


def _plain(question: Question, labels: Labels) -> Truth:
    """Tell which scans do not show the other disease."""
    return ~(labels.cardiac if question == "metastasis" else labels.metastatic)


def _rank(requested: Values, found: Values) -> float:
    return float(spearmanr(requested, found).statistic) if _varied(requested, found) else float("nan")


def _slope(requested: Values, found: Values) -> float:
    return float(np.polyfit(requested, found, 1)[0]) if _varied(requested, found) else float("nan")


def _r2(requested: Values, found: Values) -> float:
    return float(np.corrcoef(requested, found)[0, 1] ** 2) if _varied(requested, found) else float("nan")


def _varied(*columns: Values) -> bool:
    return all(len(column) > 1 and np.ptp(column) > 0 for column in columns)
