"""One site's measures, with intervals clustered by patient."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scintilab.evaluate import calibration
from scintilab.evaluate.balanced import Balanced, balanced
from scintilab.evaluate.bootstrap import Estimate, Resampled, Values
from scintilab.evaluate.discrimination import (
    area_under_curve,
    confusion,
    f1,
    negative_predictive_value,
    positive_predictive_value,
    sensitivity,
    specificity,
)
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.scans import Scores
from scintilab.evaluate.strata import Stratum, bands, stratum


@dataclass(frozen=True)
class FirstScan:
    """Only the first scan of each patient."""

    n: int
    auc: Estimate
    tpr: Estimate
    tnr: Estimate


@dataclass(frozen=True)
class Spread:
    """The AUC of the same network trained from several seeds: what is chance in the training, not in the patients."""

    seeds: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class Site:
    """What is measured at one site."""

    n: int
    patients: int
    sick: int
    confusion: dict[str, int]
    auc: Estimate
    tpr: Estimate
    tnr: Estimate
    fpr: Estimate
    fnr: Estimate
    f1: Estimate
    ppv: dict[str, Estimate]
    npv: dict[str, Estimate]
    brier: Estimate
    slope: Estimate
    intercept: Estimate
    ece: Estimate
    first_scan: FirstScan
    balanced: Balanced | None
    strata: dict[str, dict[str, Stratum]]
    training_seeds: Spread | None


def judge(
    drawn: Drawn,
    threshold: float,
    *,
    edges: Mapping[str, Sequence[float]],
    prevalences: Sequence[float],
    reruns: Sequence[Scores],
) -> Site:
    """Measure the scans of one site, calling those positive that reach the threshold."""
    scans, probability = drawn.scans, drawn.scans.probability
    positive = probability >= threshold
    rates = drawn.take(sensitivity, positive), drawn.take(specificity, positive)
    tpr, tnr = rates[0].rate(scans.patients(sick=True)), rates[1].rate(scans.patients(sick=False))
    return Site(
        n=len(scans),
        patients=len(np.unique(scans.patient)),
        sick=int(scans.truth.sum()),
        confusion={name: int(count) for name, count in confusion(scans.truth, positive)._asdict().items()},
        auc=drawn.take(area_under_curve, probability).rate(scans.pairs()),
        tpr=tpr,
        tnr=tnr,
        fpr=tnr.complement(),
        fnr=tpr.complement(),
        f1=drawn.take(f1, positive).estimate(),
        ppv={f"{p:g}": _predictive(positive_predictive_value, rates, (tpr, tnr), p) for p in prevalences},
        npv={f"{p:g}": _predictive(negative_predictive_value, rates, (tpr, tnr), p) for p in prevalences},
        brier=drawn.take(calibration.brier, probability).estimate(),
        slope=drawn.take(calibration.slope, probability).estimate(),
        intercept=drawn.take(calibration.intercept, probability).estimate(),
        ece=drawn.take(calibration.expected_error, probability).estimate(),
        first_scan=_first(drawn.only(scans.first()), threshold),
        balanced=balanced(scans, threshold, seed=drawn.seed),
        strata=_strata(drawn, threshold, edges),
        training_seeds=_spread(drawn, reruns),
    )


def _predictive(
    measure: Callable[[Values, Values, float], Values],
    rates: tuple[Resampled, Resampled],
    intervals: tuple[Estimate, Estimate],
    prevalence: float,
) -> Estimate:
    """Estimate a predictive value; one of 1 is as low as both rates may be, as drawing again would not tell."""
    tpr, tnr = rates
    value = float(measure(np.asarray(tpr.value), np.asarray(tnr.value), prevalence))
    if value == 1:
        lowest = measure(np.asarray(intervals[0].low), np.asarray(intervals[1].low), prevalence)
        return Estimate(1.0, float(lowest), 1.0)
    return Resampled(value, measure(tpr.samples, tnr.samples, prevalence)).estimate()


def _first(drawn: Drawn, threshold: float) -> FirstScan:
    scans, positive = drawn.scans, drawn.scans.probability >= threshold
    return FirstScan(
        n=len(scans),
        auc=drawn.take(area_under_curve, scans.probability).rate(scans.pairs()),
        tpr=drawn.take(sensitivity, positive).rate(scans.patients(sick=True)),
        tnr=drawn.take(specificity, positive).rate(scans.patients(sick=False)),
    )


def _strata(drawn: Drawn, threshold: float, edges: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Stratum]]:
    return {
        name: {
            label: stratum(drawn, band, threshold)
            for label, band in bands(column, edges.get(name, ())).items()
            if band.any()
        }
        for name, column in drawn.scans.strata.items()
    }


def _spread(drawn: Drawn, reruns: Sequence[Scores]) -> Spread | None:
    if len(reruns) < 2:
        return None
    areas = [float(area_under_curve(drawn.scans.truth, probability)) for probability in reruns]
    return Spread(len(areas), float(np.mean(areas)), float(np.std(areas, ddof=1)))
