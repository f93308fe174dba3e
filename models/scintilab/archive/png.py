"""A study of two pictures, as published collections come: Zenodo 13900966 has 16-bit PNG of 256 x 1024."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scintiflow.dicom.canvas import HEIGHT, WIDTH, canvas_view
from scintiflow.dicom.eligibility import LEAST_ASPECT, LEAST_ROWS
from scintiflow.errors import Declined, Refused
from scintilab.archive import Scan

MOST_PIXELS = 1 << 22
"""Of one view: sixteen times the usual 256 x 1024. What is larger is no scan, and is not decoded."""

_GREY_16 = "I;16"
_COLOURS = ("RGB", "RGBA", "P")


@dataclass(frozen=True)
class PngPair:
    """The anterior view and the posterior one; None for a view that was not made."""

    anterior: Path | None
    posterior: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The pictures that are there."""
        return tuple(path for path in (self.anterior, self.posterior) if path)

    def read(self) -> Scan:
        """Read both pictures (see `Source.read`)."""
        counts = [_counts(path) if path else None for path in (self.anterior, self.posterior)]
        sizes = {f"{cols} x {rows}" for rows, cols in (view.shape for view in counts if view is not None)}
        if len(sizes) > 1:
            raise Refused(f"The views differ in size ({' and '.join(sorted(sizes))}): name two views of one scan.")
        blank = np.zeros((HEIGHT, WIDTH), np.float32)
        return Scan(
            np.stack([blank if view is None else canvas_view(view) for view in counts]),
            np.array([view is not None for view in counts], np.float32),
        )


def _counts(path: Path) -> NDArray[np.uint16]:
    try:
        with Image.open(path, formats=["PNG"]) as picture:  # only its header, so far
            _require_size(path, *picture.size)
            _require_grey(path, picture.mode)
            counts = np.asarray(picture)
    except Refused:
        raise
    except Image.DecompressionBombError as error:
        raise _wrong_size(path, "larger than any scan") from error
    except Exception as error:  # pillow has no common error for what it cannot read
        raise Refused(f"{path.name} is not a PNG that can be read: copy it again from where it came.") from error
    if not counts.any():
        raise Declined("A view holds no counts.")
    return counts


def _require_size(path: Path, cols: int, rows: int) -> None:
    """Hold a picture to what the runtime asks of objects that do not say what they are."""
    if cols * rows > MOST_PIXELS or rows < LEAST_ROWS or rows < LEAST_ASPECT * cols:
        raise _wrong_size(path, f"{cols} x {rows}")


def _wrong_size(path: Path, size: str) -> Refused:
    return Refused(
        f"{path.name} is {size} and has not the size of a whole-body scan: export one upright view in each picture, "
        f"at least {LEAST_ROWS} rows and {LEAST_ASPECT:g} times as tall as wide (256 x 1024 is usual)."
    )


def _require_grey(path: Path, mode: str) -> None:
    if mode in _COLOURS:
        raise Refused(f"{path.name} is a colour picture, which has lost the counts: export it in 16-bit grey.")
    if mode != _GREY_16:
        raise Refused(
            f"{path.name} is not in 16-bit grey, and 8 bits lose counts: export it with 16 bits a pixel, "
            "without transparency."
        )
