"""What became of patients whom the model called positive. One scan a patient; sites are strata, never pooled."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, chi2, ecdf

from scintilab.evaluate.bootstrap import Estimate, Values, Weights
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.scans import Fate, Names, Scores, Truth


class Curve(NamedTuple):
    """Kaplan and Meier's curve: from each year on, the share that is alive, and its 95 % interval."""

    years: Values
    alive: Values
    low: Values
    high: Values


@dataclass(frozen=True)
class Outcome:
    """How called positive goes with dying, from each patient's first scan on.

    The C-index is a weighted mean over sites; beside it that of the true burden, which no reader of the scan beats.
    """

    patients: int
    deaths: int
    logrank_p: float
    hazard_ratio: Estimate
    c_index: Estimate
    c_index_of_burden: Estimate | None


def outcome(drawn: Drawn, threshold: float) -> Outcome | None:
    """Follow the patients of the sites that the model was not made on; None where nobody was followed."""
    if drawn.scans.fate is None:
        return None
    rows = drawn.scans.first() & np.isin(drawn.scans.site, drawn.others())
    first, fate = drawn.only(rows), drawn.scans.fate.part(rows)
    scans = first.scans
    positive = scans.probability >= threshold
    return Outcome(
        patients=len(scans),
        deaths=int(fate.died.sum()),
        logrank_p=logrank(fate.years, fate.died, positive, scans.site),
        hazard_ratio=hazard_ratio(fate.years, fate.died, positive, scans.site),
        c_index=_concordance(first, fate, scans.probability),
        c_index_of_burden=None if fate.burden is None else _concordance(first, fate, fate.burden),
    )


def kaplan_meier(years: Scores, died: Truth) -> Curve:
    """Return the share of patients alive, with a log-log interval, starting with everybody at 0."""
    function = ecdf(CensoredData(uncensored=years[died], right=years[~died])).sf
    with warnings.catch_warnings():
        # Where all or none are alive the log-log interval does not exist, and scipy warns of the NaN mended below.
        warnings.simplefilter("ignore", RuntimeWarning)
        interval = function.confidence_interval(method="log-log")
    low, high = (
        np.where(np.isnan(bound.probabilities), function.probabilities, bound.probabilities)
        for bound in (interval.low, interval.high)
    )
    curves = (np.append(1.0, share) for share in (function.probabilities, low, high))
    return Curve(np.append(0.0, function.quantiles), *curves)


def logrank(years: Scores, died: Truth, positive: Truth, site: Names) -> float:
    """Return the p-value of the log-rank test, stratified by site, of no difference between positive and negative.

    At each death, the share of positive patients at risk is how likely the dead one was positive (Mantel 1966);
    scipy's test has no strata.
    """
    surplus = variance = 0.0
    for name in np.unique(site):
        here = site == name
        for year in np.unique(years[here & died]):
            at_risk, dead = here & (years >= year), here & died & (years == year)
            n, deaths, share = at_risk.sum(), dead.sum(), positive[at_risk].mean()
            surplus += positive[dead].sum() - deaths * share
            variance += deaths * share * (1 - share) * (n - deaths) / max(n - 1, 1)
    return float(chi2.sf(surplus**2 / variance, 1)) if variance else float("nan")


def hazard_ratio(years: Scores, died: Truth, positive: Truth, site: Names) -> Estimate:
    """Return how many times more often positive patients die, by Cox's model stratified by site; NaN without a fit."""
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    deaths = died[positive].sum(), died[~positive].sum()
    if not all(deaths):
        return Estimate(float("nan"), float("nan"), float("nan"))
    table = pd.DataFrame({"years": years, "died": died, "positive": positive.astype(float), "site": site})
    try:
        fitted = CoxPHFitter().fit(table, "years", "died", strata=["site"])
    except ConvergenceError:
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.exp(fitted.confidence_intervals_.loc["positive"])
    return Estimate(float(fitted.hazard_ratios_["positive"]), float(low), float(high))


def _concordance(drawn: Drawn, fate: Fate, risk: Scores) -> Estimate:
    def measure(_truth: Truth, rows: NDArray[np.intp], weights: Weights) -> Values:
        return concordance(fate.years[rows], fate.died[rows], risk[rows], weights)

    return drawn.mean(drawn.by_site(measure, np.arange(len(risk))))


def concordance(years: Scores, died: Truth, risk: Scores, weights: Weights | None = None) -> Values:
    """Return Harrell's C: of pairs of one site's patients, how often the one who dies first has the higher risk."""
    weights = np.ones(len(years)) if weights is None else weights
    later = (years[None] > years[:, None]) | ((years[None] == years[:, None]) & ~died[None])
    comparable = (died[:, None] & later).astype(float)
    right = comparable * (0.5 + 0.5 * np.sign(risk[:, None] - risk[None]))
    of_all, of_right = ((weights @ pairs * weights).sum(-1) for pairs in (comparable, right))
    with np.errstate(invalid="ignore"):
        return np.asarray(of_right / of_all)[()]
