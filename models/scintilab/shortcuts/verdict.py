"""What is said of every suspect at every site, and over the sites.

Some two hundred intervals stand in one table, and of as many at 95 % five would miss 0.50 by chance on each side. So
they are wider: with 95 % all of them hold together (Bonferroni).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from scintilab.archive import Question
from scintilab.evaluate.bootstrap import Estimate, Resampled
from scintilab.evaluate.scans import Truth
from scintilab.phantom.cohort import Cohort
from scintilab.shortcuts.cause import CAUSES, Cause
from scintilab.shortcuts.suspect import Suspect

MEAN = "mean"
"""In place of a site: the mean over the sites, each by its scans, which sees what one site is too small for."""

Tried = Mapping[str, tuple[Cohort, Suspect]]
"""One suspect everywhere: scans and suspect, by what a line calls the site."""


@dataclass(frozen=True)
class Verdict:
    """One line: what was found, and how it was explained.

    Args:
        question: whose answer must not be told.
        suspect: what was looked at.
        site: where, or the mean over the sites.
        areas: AUC by learner, its interval holding together with all others; empty where too few patients are.
        told: sick were told from healthy.
        cause: what may excuse it.
        again: what is left without the cause, where it was needed.
    """

    question: Question
    suspect: str
    site: str
    areas: Mapping[str, Estimate]
    told: bool
    cause: Cause | None = None
    again: "Verdict | None" = None

    @property
    def shortcut(self) -> bool:
        """Sick are told from healthy, and no cause explains it."""
        return self.told and (self.again is None or self.again.told)

    def __str__(self) -> str:
        if not self.areas:
            return "too few patients"
        if not self.told:
            return "includes 0.50"
        if self.again is None or self.cause is None:
            return "SHORTCUT"
        found = ", ".join(map(str, self.again.areas.values())) or "too few patients"
        return f"{'SHORTCUT, not only' if self.again.told else 'explained'}: {self.cause.words}; without it {found}"


def verdicts(
    question: Question, sites: Mapping[str, tuple[Cohort, Sequence[Suspect]]], *, tables: int = 1
) -> list[Verdict]:
    """Judge all suspects of one question.

    Args:
        question: whose answer must not be told.
        sites: scans and suspects, by what a line calls them; a suspect may be missing at some.
        tables: how many like this one are shown together.
    """
    tried: dict[str, Tried] = {}
    for site, (cohort, suspects) in sites.items():
        for suspect in suspects:
            tried[suspect.name] = {**tried.get(suspect.name, {}), site: (cohort, suspect)}
    intervals = tables * 2 * len(tried) * (len(sites) + 1)
    return [verdict for name in tried for verdict in _of_suspect(question, name, tried, intervals)]


def _of_suspect(question: Question, name: str, tried: Mapping[str, Tried], intervals: int) -> list[Verdict]:
    """Judge one suspect at each site and over all; where anything is told and has a cause, everything again without."""
    there = tried[name]
    everybody = {site: np.ones(len(cohort), np.bool_) for site, (cohort, _) in there.items()}
    found = _lines(question, name, there, everybody, intervals)
    cause = CAUSES.get((question, name))
    if cause is None or not any(verdict.told for verdict in found):
        return found
    without = {site: cause.without(cohort) for site, (cohort, _) in there.items()}
    others = _lines(question, name, tried[cause.instead or name], without, intervals)
    return [
        replace(verdict, cause=cause, again=again) if verdict.told else verdict
        for verdict, again in zip(found, others, strict=True)
    ]


def _lines(
    question: Question,
    name: str,
    there: Tried,
    kept: Mapping[str, Truth],
    intervals: int,
) -> list[Verdict]:
    areas = {site: suspect.area(kept[site]) for site, (_, suspect) in there.items()}
    areas[MEAN] = _mean(areas, {site: int(rows.sum()) for site, rows in kept.items()})
    fixed = any(suspect.fixed for _, suspect in there.values())
    lines = []
    for site, area in areas.items():
        estimates = {by: together(resampled, intervals) for by, resampled in area.items()}
        told = any(_told(estimate, fixed) for estimate in estimates.values())
        lines.append(Verdict(question, name, site, estimates, told))
    return lines


def together(area: Resampled, intervals: int) -> Estimate:
    """Return an interval that holds together with `intervals - 1` others with 95 %."""
    reach = float(norm.ppf(1 - 0.025 / intervals) * np.std(area.samples))
    return Estimate(area.value, area.value - reach, area.value + reach)


def _told(area: Estimate, fixed: bool) -> bool:
    """Tell whether the interval misses 0.50. What was learnt and is worse than chance has learnt nothing."""
    return area.low > 0.5 or (fixed and area.high < 0.5)


def _mean(areas: Mapping[str, Mapping[str, Resampled]], counts: Mapping[str, int]) -> Mapping[str, Resampled]:
    """Average over sites; they are drawn independently, so draw k of one may stand beside draw k of another."""
    known = [site for site, area in areas.items() if area]
    if not known:
        return {}
    share = np.array([counts[site] for site in known]) / sum(counts[site] for site in known)
    return {
        by: Resampled(
            float(share @ [areas[site][by].value for site in known]),
            share @ np.stack([areas[site][by].samples for site in known]),
        )
        for by in areas[known[0]]
    }
