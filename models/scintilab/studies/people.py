"""Simulated patients who take part in the studies beside those of `scintilab.parts`, each in one role only."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from scintiflow.errors import Refused
from scintilab.parts import PARTS, SEED
from scintilab.phantom.cohort import Cohort, cohort

OTHERS = {
    "learners": ("A", range(12_000, 14_000)),
    "strangers": ("B", range(3000, 3800)),
}
"""Site and numbers. Learners are of the generator's site, and it has not seen them; strangers are of another one."""


def people(role: str, cache: Path, share: float = 1.0) -> Cohort:
    """Return those of a role of OTHERS, or of a part of `scintilab.parts`; or a share, from the first on."""
    site, numbers = {**PARTS, **OTHERS}[role]
    return cohort(site, SEED, numbers[: max(1, round(share * len(numbers)))], cache)


def require_disjoint(groups: Mapping[str, Cohort]) -> None:
    """Make sure that nobody is in two groups.

    Raises:
        Refused: somebody is; one line for each pair of groups.
    """
    who = {
        name: {(group.site, group.seed, int(number)) for number in group.truth.patient}
        for name, group in groups.items()
    }
    both = ((one, other, who[one] & who[other]) for one, other in combinations(groups, 2))
    shared = [
        f"{len(patients)} patients are in both {one} and {other}, such as number {min(patients)[2]}."
        for one, other, patients in both
        if patients
    ]
    if shared:
        raise Refused("\n".join([*shared, "Give each patient one role."]))
