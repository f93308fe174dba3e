"""How a scan was made, and of whom, without a pixel of it: what must not tell the answer."""

from collections.abc import Mapping, Sequence

import numpy as np

from scintilab.evaluate.learner import Features
from scintilab.evaluate.scans import Names
from scintilab.phantom.cohort import Truth

PARTS = ("counts", "height", "BMI", "pose", "injection", "tracer")


def acquisition(truth: Truth, like: Truth | None = None) -> Mapping[str, Features]:
    """Return the features of each part, [n, k]; names become one column each.

    Args:
        truth: of the scans.
        like: of the scans that the columns are made for; a name that is not there has no column.
    """
    like = like or truth
    return {
        "counts": np.log(truth.counts)[:, None],
        "height": truth.height_mm[:, None],
        "BMI": truth.bmi[:, None],
        "pose": truth.pose.astype(float),
        "injection": _by_name(truth.injection, np.unique(like.injection)),
        "tracer": _by_name(truth.tracer, np.unique(like.tracer)),
    }


def together(parts: Mapping[str, Features]) -> Features:
    """Return all parts side by side."""
    return np.concatenate([parts[name] for name in PARTS], axis=1)


def _by_name(column: Names, names: Sequence[str] | Names) -> Features:
    return np.asarray(column[:, None] == np.asarray(names), dtype=np.float64)
