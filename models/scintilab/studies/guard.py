"""When is a scan too close to one that was learnt from? The threshold of the filter that refuses to give out copies."""

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Values
from scintilab.studies.manifold import distances

REFUSED = 0.01
"""Share of real scans of other patients that would be taken for copies."""
_AT_ONCE = 512


def threshold(held_out: NDArray[np.floating], training: NDArray[np.floating], *, refused: float = REFUSED) -> float:
    """Return the distance below which a scan is taken for a copy.

    Other patients are alike too; what is closer to a training scan than all but a few of them is no chance.

    Args:
        held_out: embeddings of scans of patients that nothing was learnt from, [n, k].
        training: embeddings of the scans learnt from, [m, k].
        refused: share of the former that may be refused.
    """
    return float(np.quantile(nearest(held_out, training), refused, method="lower"))


def nearest(rows: NDArray[np.floating], records: NDArray[np.floating]) -> Values:
    """Return how far each row, [n, k], is from the nearest record, [m, k]."""
    starts = range(0, len(rows), _AT_ONCE)
    parts = [distances(rows[start : start + _AT_ONCE], records).min(1) for start in starts]
    return np.concatenate(parts) if parts else np.empty(0)
