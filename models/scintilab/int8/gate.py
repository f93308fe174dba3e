"""Does a classifier in int8 tell what the graph itself tells? Asked of patients whom neither has learnt from."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats
from scintilab.evaluate.answers import Answers, Pixels, Reader
from scintilab.evaluate.bootstrap import Estimate, Resampled, resampled_weights
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.scans import Truth

LARGEST_DROP = 0.005
"""Of AUC."""
LEAST_ALIKE = 0.98
"""Median correlation of maps."""


class Judged(NamedTuple):
    """What int8 changes, on so many scans."""

    scans: int
    before: float
    """AUC of the graph itself, as it is served."""
    drop: Estimate
    """Of AUC, in the same draws of patients."""
    alike: float
    """Median correlation of each scan's two maps."""
    furthest: float
    """Largest difference of a probability."""

    @property
    def passed(self) -> bool:
        """Tell whether int8 may be shipped."""
        return self.drop.value <= LARGEST_DROP and self.alike >= LEAST_ALIKE

    def __str__(self) -> str:
        return (
            f"On {self.scans} scans of simulated patients AUC is {self.before:.4f}, and in int8 smaller by "
            f"{self.drop.value:.4f} ({self.drop.low:.4f} to {self.drop.high:.4f}; {LARGEST_DROP} is allowed); maps "
            f"correlate with {self.alike:.4f} (median; {LEAST_ALIKE} is asked for); no probability moves by more than "
            f"{self.furthest:.3f}."
        )


def judge(itself: Reader, int8: Reader, pixels: Pixels, truth: Truth, patient: NDArray[np.integer]) -> Judged:
    """Ask both about the same scans.

    Args:
        itself: the graph as it is served.
        int8: the same in int8.
        pixels: of n scans.
        truth: [n], who is sick.
        patient: [n], whose scan it is.
    """
    before, after = itself.ask(pixels, "The graph itself"), int8.ask(pixels, "In int8")
    weights = resampled_weights(patient, truth)
    areas = [
        Resampled(
            float(area_under_curve(truth, answers.probability)), area_under_curve(truth, answers.probability, weights)
        )
        for answers in (before, after)
    ]
    drop = Resampled(areas[0].value - areas[1].value, areas[0].samples - areas[1].samples)
    furthest = float(np.abs(before.probability - after.probability).max())
    return Judged(len(truth), areas[0].value, drop.estimate(), _alike(before, after), furthest)


def _alike(before: Answers, after: Answers) -> float:
    """Return the median correlation of maps; a map of nothing correlates with no other, and is left out."""
    with np.errstate(invalid="ignore", divide="ignore"):
        each = [np.corrcoef(_flat(one), _flat(other))[0, 1] for one, other in zip(before.maps, after.maps, strict=True)]
    return float(np.nanmedian(each))


def _flat(maps: Floats) -> NDArray[np.float64]:
    return np.asarray(maps, np.float64).ravel()
