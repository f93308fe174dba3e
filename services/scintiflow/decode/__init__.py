"""Stored objects -> the two views and the canvas, pixels decoded in a child process with limits.

Decoders can be taken down: a panic that no `except Exception` catches, 25 s of CPU for 88 KB, 1.8 GB for 100 KB.
So files are opened and decoded in a child (`child.py`) that may use a limited amount of memory and of time of the
processor, is killed when its time on the clock is over, writes no files, and dies with us. It stays warm, because
imports cost a hundred times a decode; after any refusal it is thrown away, since nobody knows what a bad file left
behind in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView, View
from scintiflow.decode.parent import USUAL_LIMITS, Limits, counts_of, warm
from scintiflow.dicom.canvas import HEIGHT, WIDTH, canvas_view
from scintiflow.errors import Declined

__all__ = ["Decoded", "Limits", "decode", "warm"]

_PLACES = (VIEW_ANTERIOR, VIEW_POSTERIOR)
_SIDE = {VIEW_ANTERIOR: "anterior", VIEW_POSTERIOR: "posterior"}


@dataclass(frozen=True, eq=False)
class Decoded:
    """The counts of one scan, as stored and as a classifier takes them."""

    canvas: NDArray[np.float32]
    """[2, 512, 256]: anterior, posterior; mean counts per canvas pixel, zeros for an absent view."""
    present: NDArray[np.float32]
    """[2]: 1 for a view that is there, else 0."""
    frames: dict[View, NDArray[np.float32]]
    """View -> [rows, cols], counts per pixel of the camera."""
    pixel_mm: tuple[float, float]
    """Row and column spacing of the first view, in millimetres."""


def decode(views: Sequence[SelectedView], objects: Path, limits: Limits = USUAL_LIMITS) -> Decoded:
    """Decode the selected frames of the objects in the folder `objects`, each a file `<digest>.dcm`.

    May be called from several threads; each call has a child process to itself. A warm call takes some 10 ms.

    Raises:
        Refused: the pixels cannot be decoded, or not within the limits.
        Declined: a view holds no counts.
        Unavailable: no child process could be started.
    """
    frames: dict[View, NDArray[np.float32]] = {}
    spacings = []
    for digest in dict.fromkeys(view.digest for view in views):
        of_object = [view for view in views if view.digest == digest]
        counts, pixel_mm = counts_of(objects / f"{digest}.dcm", [view.frame for view in of_object], limits)
        frames.update(zip((view.view for view in of_object), counts, strict=True))
        spacings.append(pixel_mm)
    _require_counts(frames)
    canvas = np.zeros((len(_PLACES), HEIGHT, WIDTH), np.float32)
    for place, view in enumerate(_PLACES):
        if view in frames:
            canvas[place] = canvas_view(frames[view])
    present = np.array([view in frames for view in _PLACES], np.float32)
    return Decoded(canvas, present, frames, spacings[0])


def _require_counts(frames: dict[View, NDArray[np.float32]]) -> None:
    for view, counts in frames.items():
        if not counts.any():
            raise Declined(f"The {_SIDE[view]} view holds no counts; send the scan with its counts.")
