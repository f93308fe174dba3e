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
        again: the same on scans without the cause, where it was needed.
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
        return f"{'SHORTCUT, not only' if self.again.told else 'explained'}: {self.cause.words}; without them {found}"


def verdicts(
    question: Question, sites: Sequence[tuple[Cohort, Sequence[Suspect]]], *, tables: int = 1
) -> list[Verdict]:
    """Judge all suspects of one question; every site has the same ones.

    Args:
        question: whose answer must not be told.
        sites: their scans and suspects.
        tables: how many like this one are shown together.
    """
    everywhere = list(zip(*(suspects for _, suspects in sites), strict=True))
    intervals = tables * (len(sites) + 1) * sum(1 if same[0].fixed else 2 for same in everywhere)
    cohorts = [cohort for cohort, _ in sites]
    return [verdict for same in everywhere for verdict in _of_suspect(question, cohorts, same, intervals)]


def _of_suspect(
    question: Question, cohorts: Sequence[Cohort], suspects: Sequence[Suspect], intervals: int
) -> list[Verdict]:
    """Judge one suspect at each site and over all; where anything is told and has a cause, everything again without."""
    everybody = [np.ones(len(cohort), np.bool_) for cohort in cohorts]
    found = _lines(question, cohorts, suspects, everybody, intervals)
    cause = CAUSES.get((question, suspects[0].name))
    if cause is None or not any(verdict.told for verdict in found):
        return found
    others = _lines(question, cohorts, suspects, [cause.without(cohort) for cohort in cohorts], intervals)
    return [
        replace(verdict, cause=cause, again=again) if verdict.told else verdict
        for verdict, again in zip(found, others, strict=True)
    ]


def _lines(
    question: Question,
    cohorts: Sequence[Cohort],
    suspects: Sequence[Suspect],
    kept: Sequence[Truth],
    intervals: int,
) -> list[Verdict]:
    areas = {cohort.site: suspect.area(rows) for cohort, suspect, rows in zip(cohorts, suspects, kept, strict=True)}
    counts = {cohort.site: int(rows.sum()) for cohort, rows in zip(cohorts, kept, strict=True)}
    areas[MEAN] = _mean({site: area for site, area in areas.items() if area}, counts)
    lines = []
    for site, area in areas.items():
        estimates = {name: together(resampled, intervals) for name, resampled in area.items()}
        told = any(_told(estimate, suspects[0].fixed) for estimate in estimates.values())
        lines.append(Verdict(question, suspects[0].name, site, estimates, told))
    return lines


def together(area: Resampled, intervals: int) -> Estimate:
    """Return an interval that holds together with `intervals - 1` others with 95 %."""
    reach = float(norm.ppf(1 - 0.025 / intervals) * np.std(area.samples))
    return Estimate(area.value, area.value - reach, area.value + reach)


def _told(area: Estimate, fixed: bool) -> bool:
    """Tell whether the interval misses 0.50. What was learnt and is worse than chance has learnt nothing."""
    return area.low > 0.5 or (fixed and area.high < 0.5)


def _mean(areas: Mapping[str, Mapping[str, Resampled]], counts: Mapping[str, int]) -> dict[str, Resampled]:
    """Average over sites; they are drawn independently, so draw k of one may stand beside draw k of another."""
    if not areas:
        return {}
    share = np.array([counts[site] for site in areas], float) / sum(counts[site] for site in areas)
    names = next(iter(areas.values()))
    return {
        name: Resampled(
            float(share @ [area[name].value for area in areas.values()]),
            share @ np.stack([area[name].samples for area in areas.values()]),
        )
        for name in names
    }
