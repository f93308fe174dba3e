"""A two-headed gamma camera: projects a patient, blurs with distance, scatters, and counts.

Resolution follows from collimator geometry, FWHM(d)^2 = intrinsic^2 + (hole (L + d) / L)^2. Points are
shared between five planes parallel to the detector, each blurred for its own distance in Fourier space.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from scintilab.phantom.body import at
from scintilab.phantom.geometry import Array
from scintilab.phantom.patient import Patient

ROWS, COLS = 1024, 256
_PAD = 64
"""Extra columns, so that scatter leaving one side does not come back on the other."""
_PLANES = np.linspace(30, 330, 5)
_TABLE = 0.92
"""Share of photons that pass the table."""


@dataclass(frozen=True)
class Camera:
    """One camera with its collimator (published low-energy high-resolution geometry), mm."""

    name: str
    pixel: float
    hole: float
    length: float
    intrinsic: float
    scatter: float
    """Share of counts in the photopeak window that were scattered."""

    def fwhm(self, distance: float) -> float:
        """Return the width of a point's image at this distance from the collimator, mm."""
        effective = self.length - 2  # septa let a little through at their ends
        return float(np.hypot(self.intrinsic, self.hole * (effective + distance) / effective))


SYMBIA = Camera("Symbia LEHR", pixel=2.40, hole=1.11, length=24.05, intrinsic=3.8, scatter=0.32)
INFINIA = Camera("Infinia LEHR", pixel=2.21, hole=1.50, length=35.0, intrinsic=3.9, scatter=0.30)
BRIGHTVIEW = Camera("BrightView CHR", pixel=2.33, hole=2.03, length=48.0, intrinsic=3.3, scatter=0.38)
CAMERAS = (SYMBIA, INFINIA, BRIGHTVIEW)


def scan(
    patient: Patient, camera: Camera, counts: float, rng: np.random.Generator, *, top_mm: float = 90
) -> NDArray[np.uint16]:
    """Scan a patient.

    Args:
        patient: lies still.
        camera: decides pixel size and blur.
        counts: mean counts of a view, as a technologist would choose by the clock.
        rng: the noise.
        top_mm: how far above the head the scan begins; it ends as far below the feet.

    Returns:
        uint16 [2, 1024, 256]: anterior, and posterior as seen from behind.
    """
    rate = expected(patient, camera, top_mm=top_mm)
    noisy: NDArray[np.uint16] = rng.poisson(rate * (2 * counts / rate.sum())).clip(0, 65535).astype(np.uint16)
    return noisy


def expected(patient: Patient, camera: Camera, *, top_mm: float = 90) -> Array:
    """Return what both views would show without noise, in arbitrary units, [2, 1024, 256]."""
    x, y, z = patient.position.T
    to_front, to_back = patient.body.transmission(patient.position)
    pixel = _pixel_of(x, z, patient, camera)
    glow = _soft_tissue(patient, camera)
    front = _blurred(pixel, patient.weight * to_front, patient.body.front.max() + 25 - y, glow, camera)
    back = _blurred(pixel, patient.weight * to_back, y - patient.body.back.min() + 45, glow, camera) * _TABLE
    views = np.stack([front, back[:, ::-1]])
    return views * _field_of_view(patient, camera, top_mm)


def pixel_of(patient: Patient, camera: Camera, position: Array) -> tuple[Array, Array]:
    """Return row and column in the anterior view (fractions of a pixel) of positions [n, 3]."""
    return (
        ROWS / 2 - (position[:, 2] - patient.height_mm / 2) / camera.pixel,
        COLS / 2 + position[:, 0] / camera.pixel,
    )


def _pixel_of(x: Array, z: Array, patient: Patient, camera: Camera) -> NDArray[np.intp]:
    """Return flat indices into a padded view, out of range ones moved to its rim, which is cut away."""
    row, col = pixel_of(patient, camera, np.stack([x, x, z], 1))
    rows = np.clip(row, 0, ROWS - 1).astype(np.intp)
    cols = np.clip(col + _PAD / 2, 0, COLS + _PAD - 1).astype(np.intp)
    return rows * (COLS + _PAD) + cols


def _soft_tissue(patient: Patient, camera: Camera) -> Array:
    """Return what soft tissue sends towards one view, a pixel, [1024, padded columns]."""
    z = patient.height_mm / 2 + (ROWS / 2 - 0.5 - np.arange(ROWS)) * camera.pixel
    x = (np.arange(COLS + _PAD) + 0.5 - (COLS + _PAD) / 2) * camera.pixel
    glow = patient.body.glow(patient.soft_tissue) * camera.pixel**2
    return at(glow, *np.meshgrid(x, z))


def _blurred(pixel: NDArray[np.intp], weight: Array, distance: Array, glow: Array, camera: Camera) -> Array:
    """Project points and soft tissue onto one detector, [1024, 256]."""
    shape = (ROWS, COLS + _PAD)
    place = (np.clip(distance, _PLANES[0], _PLANES[-1]) - _PLANES[0]) / (_PLANES[1] - _PLANES[0])
    middle = len(_PLANES) // 2
    spectrum = np.zeros((ROWS, shape[1] // 2 + 1), np.complex64)
    for index, transfer in enumerate(_transfer(camera)):
        share = weight * np.clip(1 - np.abs(place - index), 0, None)
        plane = np.bincount(pixel, share, ROWS * shape[1]).reshape(shape) + (glow if index == middle else 0)
        spectrum += rfft2(plane.astype(np.float32)) * transfer
    image: Array = np.clip(irfft2(spectrum, shape), 0, None)
    return image[:, _PAD // 2 : -_PAD // 2]


@lru_cache
def _transfer(camera: Camera) -> tuple[NDArray[np.float32], ...]:
    """Return what each plane's spectrum is multiplied by: the collimator's blur, and scatter's long tails."""
    down = np.fft.fftfreq(ROWS, camera.pixel)[:, None]
    across = np.fft.rfftfreq(COLS + _PAD, camera.pixel)
    square = down**2 + across**2

    def gauss(sigma: float) -> Array:
        blur: Array = np.exp(-2 * (np.pi * sigma) ** 2 * square)
        return blur

    scattered = camera.scatter * (0.55 * gauss(28) + 0.45 * gauss(75))
    return tuple(
        ((1 - camera.scatter) * gauss(camera.fwhm(distance) / 2.355) + scattered).astype(np.float32)
        for distance in _PLANES
    )


def _field_of_view(patient: Patient, camera: Camera, top_mm: float) -> NDArray[np.bool_]:
    """Real frames are exactly zero beyond the scanned length and at the detector's edges."""
    from_middle = np.abs(np.arange(ROWS) + 0.5 - ROWS / 2) * camera.pixel
    rows = from_middle < patient.height_mm / 2 + top_mm
    cols = np.abs(np.arange(COLS) + 0.5 - COLS / 2) < COLS / 2 - 13
    field: NDArray[np.bool_] = rows[:, None] & cols
    return field
