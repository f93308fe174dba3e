"""Views in inverse grey, as bone scans are printed: dark means more counts."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scintiflow.contracts.v1.study_pb2 import View

_BOX = (192, 768)  # width and height that a view must fit in
_BELOW_TOP = 0.985  # of the pixels that hold counts


def greys_of(
    frames: Mapping[View, NDArray[np.float32]], pixel_mm: tuple[float, float]
) -> dict[View, NDArray[np.uint8]]:
    """Return the views, anterior first, at the patient's true proportions and in one common window."""
    fitted = {view: _fit(frames[view], pixel_mm) for view in sorted(frames)}
    top = _top_of(np.concatenate([counts[counts > 0] for counts in fitted.values()]))
    return {view: (255 - 255 * np.clip(counts / top, 0, 1) ** 0.8).astype(np.uint8) for view, counts in fitted.items()}


def _top_of(counted: NDArray[np.float32]) -> float:
    """Return what all but the highest pixels stay below: they would wash out the skeleton (injection site, bladder)."""
    if not counted.size:
        return 1.0
    counted.sort()
    at = _BELOW_TOP * (counted.size - 1)
    around = counted[int(at) : int(at) + 2]
    return float(np.quantile(around, at - int(at)))


def resized(values: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return `values`, [h, w], interpolated to another size."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _fit(counts: NDArray[np.float32], pixel_mm: tuple[float, float]) -> NDArray[np.float32]:
    height_mm, width_mm = counts.shape[0] * pixel_mm[0], counts.shape[1] * pixel_mm[1]
    scale = min(_BOX[0] / width_mm, _BOX[1] / height_mm)
    return resized(counts, round(width_mm * scale), round(height_mm * scale))
