"""The same patient, scanned a little otherwise: elsewhere on the table, for a shorter time, less sharply."""

import numpy as np
from numpy.typing import NDArray

from scintilab.training.material import Scans

DOWN, ACROSS = 16, 8
"""Canvas pixels that a patient may lie off: 8 cm."""
SHORTEST = 0.3
"""Share of the counts that a shorter scan keeps at least."""
HAZE = 0.1
"""Times the mean of a view that haze adds at most."""
CAMERA_PIXELS = 2
"""In one canvas pixel, for a matrix of 1024 x 256."""

Floats = NDArray[np.float32]


def varied(scans: Scans, chance: np.random.Generator, *, down: int = DOWN, lossy: float = 0.0) -> Scans:
    """Move every scan, shorten every second one, and spoil some; places move along.

    Args:
        scans: as they were made.
        chance: decides.
        down: canvas rows that a patient may lie higher or lower.
        lossy: share of the scans that are blurred and hazed, as by another camera or by lossy compression.
    """
    canvas, places = scans.canvas.copy(), None if scans.places is None else scans.places.copy()
    for row in range(len(canvas)):
        shift = chance.integers(-down, down + 1), chance.integers(-ACROSS, ACROSS + 1)
        # What leaves on one side comes in on the other: the rim of a frame is empty.
        canvas[row] = np.roll(canvas[row], shift, axis=(1, 2))
        if places is not None:
            places[row] = np.roll(places[row], shift, axis=(1, 2))
        if chance.random() < 0.5:
            canvas[row] = shortened(canvas[row], chance.uniform(SHORTEST, 1), chance)
        if chance.random() < lossy:
            canvas[row] = hazed(blurred(canvas[row]), chance.uniform(0, HAZE))
    return Scans(canvas, scans.present, places)


def views_swapped(scans: Scans, chance: np.random.Generator) -> Scans:
    """Mirror both views side by side in every second scan, so that they change places (Ibrahim et al. 2023)."""
    swap = chance.random(len(scans.canvas)) < 0.5
    canvas, present = scans.canvas.copy(), scans.present.copy()
    canvas[swap], present[swap] = canvas[swap, ::-1, :, ::-1], present[swap, ::-1]
    if scans.places is None:
        return Scans(canvas, present, None)
    places = scans.places.copy()
    places[swap] = places[swap][:, _exchanged(places.shape[1]), :, ::-1]
    return Scans(canvas, present, places)


def _exchanged(count: int) -> list[int]:
    """Return 1, 0, 3, 2, ...: each anterior place with its posterior one."""
    return [number ^ 1 for number in range(count)]


def shortened(canvas: Floats, share: float, chance: np.random.Generator) -> Floats:
    """Return what a scan of this share of the time would have shown: each photon is kept or not."""
    photons = np.rint(canvas * CAMERA_PIXELS).astype(np.int64)
    return (chance.binomial(photons, share) / CAMERA_PIXELS).astype(np.float32)


def hazed(canvas: Floats, share: float) -> Floats:
    """Return a canvas [..., h, w] with a share of its mean everywhere, outside the patient too."""
    hazy: Floats = canvas + np.float32(share) * canvas.mean(axis=(-2, -1), keepdims=True)
    return hazy


def blurred(canvas: Floats) -> Floats:
    """Return a canvas [..., h, w] whose pixels share with their neighbours, 1:2:1 both ways."""
    for axis in (-2, -1):
        canvas = ((np.roll(canvas, 1, axis) + 2 * canvas + np.roll(canvas, -1, axis)) / 4).astype(np.float32)
    return canvas
