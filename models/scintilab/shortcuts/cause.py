"""What nature excuses: disease that shows where there is none of it. It is tested again on scans without."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scintilab.archive import Question
from scintilab.evaluate.question import SUPERSCAN
from scintilab.evaluate.scans import Truth
from scintilab.phantom.cohort import Cohort


@dataclass(frozen=True)
class Cause:
    """Why some sick scans differ, in words, and the scans that remain without them, [n]."""

    words: str
    without: Callable[[Cohort], Truth]


_SUPERSCAN = Cause("superscans take tracer from muscle and kidneys", lambda cohort: cohort.truth.bsi < SUPERSCAN)
_GRADE_3 = Cause("Perugini 3 dims bone and lights muscle", lambda cohort: cohort.truth.perugini < 3)

CAUSES: Mapping[tuple[Question, str], Cause] = {
    ("metastasis", "counts"): _SUPERSCAN,
    ("metastasis", "acquisition"): _SUPERSCAN,
    ("metastasis", "picture without lesions"): _SUPERSCAN,
    ("cardiac", "counts"): _GRADE_3,
    ("cardiac", "acquisition"): _GRADE_3,
    ("cardiac", "picture without chest"): _GRADE_3,
}
"""Question and suspect -> the cause; what is not here has no excuse. Counts are part of the acquisition."""
