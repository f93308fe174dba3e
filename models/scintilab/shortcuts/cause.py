"""What nature excuses: disease that shows where there is none of it. It is tested again without."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from scintilab.archive import Question
from scintilab.evaluate.question import superscan
from scintilab.evaluate.scans import Truth
from scintilab.phantom.cohort import Cohort


@dataclass(frozen=True)
class Cause:
    """Why sick scans differ, and what must tell nothing for that to be all.

    Args:
        words: why.
        without: the scans that remain without those to which it happens, [n].
        instead: another suspect that must tell nothing; else the same one, on the scans that remain.
    """

    words: str
    without: Callable[[Cohort], Truth]
    instead: str = ""


def _everybody(cohort: Cohort) -> Truth:
    return np.ones(len(cohort), np.bool_)


_TRACER = Cause("what takes up tracer adds counts of its own", _everybody, "counts of the twin")
_SUPERSCAN = Cause("superscans take tracer from muscle and kidneys", lambda cohort: ~superscan(cohort))
_GRADE_3 = Cause("Perugini 3 dims bone and lights muscle", lambda cohort: cohort.truth.perugini < 3)

CAUSES: Mapping[tuple[Question, str], Cause] = {
    ("metastasis", "counts"): _TRACER,
    ("metastasis", "picture without lesions"): _SUPERSCAN,
    ("cardiac", "counts"): _TRACER,
    ("cardiac", "picture without chest"): _GRADE_3,
}
"""Question and suspect -> the cause; what is not here has no excuse."""
