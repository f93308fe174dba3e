"""A two-headed gamma camera, in torch: projects patients, blurs with distance, scatters, counts.

Resolution follows from collimator geometry, FWHM(d)^2 = intrinsic^2 + (hole (L + d) / L)^2. Points are shared between
planes parallel to the detector, each blurred for its own distance in Fourier space together with two Gaussians of
scatter. A pixel expects activity x sensitivity x time; noise is drawn afterwards, from the patient's own stream.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from torch import Tensor

from scintilab.phantom.body import ATTENUATION, LUNG_ATTENUATION, STEP, X, Z
from scintilab.phantom.foci import Focus
from scintilab.phantom.geometry import Array
from scintilab.phantom.patient import Patient
from scintilab.phantom.template import Template, template

ROWS, COLS = 1024, 256
CANVAS = (512, 256)
_PAD = 64
"""Extra columns, so that scatter leaving one side does not come back on the other."""
_PLANES = np.linspace(30, 330, 5)
_TABLE = 0.84
"""Share of photons that pass the table."""
_BACKGROUND = 0.0021
"""Counts a second and pixel from the room: real frames hold 0.19 to 0.32 a pixel beside the patient at 4.43 mm/s."""
_EDGE = 13
"""Columns at each side that no detector sees."""
_DETECTOR_MM = 387.0
"""Length of a detector along the patient: each pixel is seen for as long as it takes to move so far."""
_RETAINED = 0.55
"""Share of the injected activity that has not left with urine three hours later."""
_HALF_LIFE = 6.01
"""Of Tc-99m, hours."""
_COLDEST = 0.08
"""What is left of a bone's uptake where foci take most of it away."""
_AT_ONCE = {"cpu": 1, "cuda": 32}
"""Patients: a processor's caches hold one, and its answer must not depend on who comes along."""

Processing = Literal["none", "smoothed", "resampled"]
_TAPS: dict[Processing, tuple[tuple[float, ...], ...]] = {
    "none": (),
    "smoothed": ((0.25, 0.5, 0.25),),
    "resampled": ((0.34, 0.66),),
}
"""What a console's software does, unasked, along rows and columns: binomial smoothing, or pixels of another size put on
this matrix by a straight line between neighbours, a third of a pixel off. Counts stay whole numbers."""


@dataclass(frozen=True)
class Camera:
    """One camera with its collimator (published low-energy high-resolution geometry), mm.

    Geometry from table 1 of EJNMMI Res s13550-017-0300-5; sensitivity in cps/MBq of one head at 10 cm.
    """

    name: str
    pixel: float
    hole: float
    length: float
    intrinsic: float
    scatter: float
    """Share of counts in the photopeak window that were scattered."""
    sensitivity: float

    def fwhm(self, distance: float) -> float:
        """Return the width of a point's image at this distance from the collimator, mm."""
        effective = self.length - 2  # septa let a little through at their ends
        return float(np.hypot(self.intrinsic, self.hole * (effective + distance) / effective))


CAMERAS = {
    "Symbia": Camera("Symbia", pixel=2.40, hole=1.11, length=24.05, intrinsic=3.8, scatter=0.32, sensitivity=91),
    "Discovery": Camera("Discovery", pixel=2.21, hole=1.50, length=35.0, intrinsic=3.9, scatter=0.30, sensitivity=72),
    "BrightView": Camera("BrightView", pixel=2.33, hole=2.03, length=48.0, intrinsic=3.3, scatter=0.38, sensitivity=76),
    "Millennium": Camera("Millennium", pixel=2.26, hole=1.50, length=35.0, intrinsic=4.2, scatter=0.35, sensitivity=70),
}


class Acquisition(NamedTuple):
    """How one patient is scanned."""

    camera: Camera
    activity_mbq: float
    hours: float
    """From injection to scan."""
    speed_mm_s: float
    top_mm: float
    """How far above the head the scan begins; it ends as far below the feet."""
    processing: Processing = "none"

    @property
    def seconds(self) -> float:
        """How long each pixel is seen."""
        return _DETECTOR_MM / self.speed_mm_s

    @property
    def sensitivity(self) -> float:
        """Counts for each share of the body's activity that leaves towards a detector."""
        left = float(self.activity_mbq * _RETAINED * 0.5 ** (self.hours / _HALF_LIFE))
        return left * self.camera.sensitivity * self.seconds


class Exposure(NamedTuple):
    """What n scans expect, and the truth under every pixel."""

    rate: Tensor
    """float32 [n, 2, 1024, 256] counts: anterior, and posterior as seen from behind."""
    metastases: Tensor
    """bool [n, 2, 512, 256]: canvas pixels over the inner part (half of the rise) of a metastasis."""
    others: Tensor
    """bool [n, 2, 512, 256]: of any other focus."""


def scan(patient: Patient, how: Acquisition, noise: np.random.Generator) -> NDArray[np.uint16]:
    """Scan one patient: counts [2, 1024, 256], anterior, and posterior as seen from behind."""
    return counted(expose([patient], [how]).rate[0], how, noise)


def counted(rate: Tensor, how: Acquisition, noise: np.random.Generator) -> NDArray[np.uint16]:
    """Draw what a detector counts, [2, 1024, 256], and do to it what the site's software does."""
    counts = noise.poisson(rate.cpu().numpy())
    for taps in _TAPS[how.processing]:
        counts = np.rint(convolve1d(convolve1d(counts.astype(float), taps, axis=1), taps, axis=2))
    kept: NDArray[np.uint16] = counts.clip(0, 65535).astype(np.uint16)
    return kept


def expose(patients: Sequence[Patient], how: Sequence[Acquisition], device: str = "cpu") -> Exposure:
    """Return what each patient's scan expects; the same for a patient whoever else is there (bit by bit on a CPU)."""
    size = _AT_ONCE[device.split(":", maxsplit=1)[0]]
    with _one_thread(device), torch.inference_mode():
        some = [
            _expose(patients[start : start + size], how[start : start + size], device)
            for start in range(0, len(patients), size)
        ]
    return Exposure(*(torch.cat(parts) for parts in zip(*some, strict=True)))


@contextmanager
def _one_thread(device: str) -> Iterator[None]:
    """On a processor, threads share sums between them, and rounding would tell how many there are."""
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _expose(patients: Sequence[Patient], how: Sequence[Acquisition], device: str) -> Exposure:
    adult = template(device)
    position = _placed(adult, _stacked([patient.matrix for patient in patients], device))
    bumps = _bumps(adult, [patient.foci for patient in patients], device)
    weight = _weights(adult, patients, bumps, device)
    skin = _stacked([np.stack([p.body.front, p.body.back, p.body.glow]) for p in patients], device)
    activity = weight.sum(1) + _stacked([p.body.activity for p in patients], device)
    share = _stacked([each.sensitivity for each in how], device) / activity
    rate = _projected(position, weight * share[:, None], skin, share, patients, how)
    return Exposure(rate, *_masks(position, bumps, patients, how))


def _stacked(values: Sequence[float | tuple[float, ...] | NDArray[np.floating]], device: str) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(value, np.float32) for value in values])).to(device)


def _placed(adult: Template, matrix: Tensor) -> Tensor:
    """Move every point to where the patient has it, [n, 3, points]."""
    parts = torch.from_numpy(np.diff(adult.start)).to(matrix.device)
    place = torch.repeat_interleave(matrix.permute(0, 2, 3, 1), parts, dim=3, output_size=int(adult.start[-1]))
    x, y, z = adult.position
    return place[:, :, 0] * x + place[:, :, 1] * y + place[:, :, 2] * z + place[:, :, 3]


class _Bumps(NamedTuple):
    """Every pair of a focus and a point of its bone, in all patients."""

    patient: Tensor
    point: Tensor
    rise: Tensor
    """What the focus adds to the point's uptake, as a multiple of it."""
    inner: Tensor
    """Whether it adds at least half of what it adds in its middle."""
    malignant: Tensor


def _bumps(adult: Template, foci: Sequence[Sequence[Focus]], device: str) -> _Bumps:
    whose = [patient for patient, each in enumerate(foci) for _ in each]
    everything = [focus for each in foci for focus in each]
    index = {name: number for number, name in enumerate(adult.names)}
    bone = np.array([index[focus.bone] for focus in everything], np.int64)
    count = (adult.start[bone + 1] - adult.start[bone]).astype(np.int64)
    first = np.cumsum(count) - count
    pair = np.repeat(np.arange(len(everything)), count)
    point = torch.from_numpy(adult.start[bone][pair] + np.arange(count.sum()) - first[pair]).to(device)
    numbers = np.array([(*f.centre, *f.radii, f.rise, f.kind == "metastasis") for f in everything], np.float32)
    centre, radii, rise, malignant = torch.from_numpy(numbers.reshape(-1, 8).T).to(device).split([3, 3, 1, 1])
    of = torch.from_numpy(pair).to(device)
    off = (adult.position[:, point] - centre[:, of]) / radii[:, of]
    bump = torch.exp(-0.5 * (off[0] ** 2 + off[1] ** 2 + off[2] ** 2))
    patient = torch.tensor(whose, device=device, dtype=torch.int64)[of]
    return _Bumps(patient, point, rise[0, of] * bump, bump > 0.5, malignant[0, of] > 0)


def _weights(adult: Template, patients: Sequence[Patient], bumps: _Bumps, device: str) -> Tensor:
    """Return the activity of every point, [n, points]."""
    parts = torch.from_numpy(np.diff(adult.start)).to(device)
    gain = _stacked([patient.gain for patient in patients], device)
    gain = torch.repeat_interleave(gain, parts, dim=1, output_size=int(adult.start[-1]))
    cloudy = torch.exp(_stacked([patient.clouds for patient in patients], device) @ adult.clouds)
    raised = torch.ones_like(cloudy)
    raised.view(-1).index_add_(0, bumps.patient * raised.shape[1] + bumps.point, bumps.rise)
    return adult.weight * gain * cloudy * raised.clamp(min=_COLDEST)


def _projected(
    position: Tensor,
    weight: Tensor,
    skin: Tensor,
    share: Tensor,
    patients: Sequence[Patient],
    how: Sequence[Acquisition],
) -> Tensor:
    """Return what both views expect, [n, 2, 1024, 256]."""
    x, y, z = position.unbind(1)
    front, back, _ = _at(skin, x, z).unbind(1)
    lung = _lung(x, z, patients)
    to_front, to_back = _survival(front - y, lung), _survival(y - back, lung) * _TABLE
    pixel = _pixel(x, z, patients, how)
    nearest = torch.stack([skin[:, 0].amax((1, 2)) + 25, -(skin[:, 1].amin((1, 2)) - 45)])
    glow = _glow(skin, patients, how) * share[:, None, None]
    anterior = _blurred(pixel, weight * to_front, nearest[0, :, None] - y, glow, how)
    posterior = _blurred(pixel, weight * to_back, nearest[1, :, None] + y, glow * _TABLE, how)
    room = _stacked([_BACKGROUND * each.seconds for each in how], str(weight.device))[:, None, None, None]
    views = torch.stack([anterior, posterior.flip(2)], 1) + room
    return (
        views * torch.stack([_field_of_view(p, h, views.device) for p, h in zip(patients, how, strict=True)])[:, None]
    )


def _at(surfaces: Tensor, x: Tensor, z: Tensor) -> Tensor:
    """Read grids [n, k, z, x] at positions [n, m], mm: [n, k, m]."""
    place = torch.stack([_unit(x, X), _unit(z, Z)], -1)[:, None]
    read = torch.nn.functional.grid_sample(surfaces, place, padding_mode="border", align_corners=True)
    return read[:, :, 0]


def _unit(position: Tensor, grid: Array) -> Tensor:
    return 2 * (position - float(grid[0])) / float(grid[-1] - grid[0]) - 1


def _lung(x: Tensor, z: Tensor, patients: Sequence[Patient]) -> Tensor:
    """Return how much lung a line from front to back crosses there, mm."""
    middle = _stacked([patient.body.lungs for patient in patients], str(x.device))
    across = ((x - middle[:, :1]).abs() - 68) / 58
    along = (z - middle[:, 1:]) / 120
    return 150 * (1 - across**2 - along**2).clamp(min=0).sqrt()


def _survival(depth: Tensor, lung: Tensor) -> Tensor:
    """Up to 70 % of the way through the chest may lead through lung."""
    depth = depth.clamp(min=0)
    airy = torch.minimum(0.7 * depth, lung)
    return torch.exp(-ATTENUATION * depth + (ATTENUATION - LUNG_ATTENUATION) * airy)


def _pixel(x: Tensor, z: Tensor, patients: Sequence[Patient], how: Sequence[Acquisition]) -> Tensor:
    """Return flat indices into a padded view, [n, points]; what is out of sight moves to its rim, which is cut away."""
    row, col = _row_col(x, z, patients, how)
    rows = row.floor().long().clamp(0, ROWS - 1)
    cols = (col + _PAD / 2).floor().long().clamp(0, COLS + _PAD - 1)
    return rows * (COLS + _PAD) + cols


def _row_col(x: Tensor, z: Tensor, patients: Sequence[Patient], how: Sequence[Acquisition]) -> tuple[Tensor, Tensor]:
    pixel = _stacked([each.camera.pixel for each in how], str(x.device))[:, None]
    middle = _stacked([patient.height_mm / 2 for patient in patients], str(x.device))[:, None]
    return ROWS / 2 - (z - middle) / pixel, COLS / 2 + x / pixel


def _glow(skin: Tensor, patients: Sequence[Patient], how: Sequence[Acquisition]) -> Tensor:
    """Return what soft tissue sends towards one view, a pixel, [n, 1024, padded columns]."""
    views = []
    for one, patient, each in zip(skin[:, 2:], patients, how, strict=True):
        pixel = each.camera.pixel
        z = patient.height_mm / 2 + (ROWS / 2 - 0.5 - torch.arange(ROWS, device=skin.device)) * pixel
        x = (torch.arange(COLS + _PAD, device=skin.device) + 0.5 - (COLS + _PAD) / 2) * pixel
        views.append(_between(_between(one[0], z, Z).T, x, X).T * pixel**2)
    return torch.stack(views)


def _between(values: Tensor, at: Tensor, grid: Array) -> Tensor:
    """Interpolate the rows of [grid, m] linearly: [at, m]."""
    place = ((at - float(grid[0])) / STEP).clamp(0, len(grid) - 1.001)
    below = place.long()
    part = (place - below)[:, None]
    return values[below] * (1 - part) + values[below + 1] * part


def _blurred(pixel: Tensor, weight: Tensor, distance: Tensor, glow: Tensor, how: Sequence[Acquisition]) -> Tensor:
    """Project points and soft tissue onto one detector, [n, 1024, 256]."""
    shape = (ROWS, COLS + _PAD)
    step = float(_PLANES[1] - _PLANES[0])
    place = (distance.clamp(float(_PLANES[0]), float(_PLANES[-1]) - 1e-3) - float(_PLANES[0])) / step
    below = place.long()
    further = weight * (place - below)
    area = shape[0] * shape[1]
    planes = weight.new_zeros(len(weight), len(_PLANES) * area)
    planes.scatter_add_(1, below * area + pixel, weight - further)
    planes.scatter_add_(1, (below + 1) * area + pixel, further)
    planes = planes.view(len(weight), len(_PLANES), *shape)
    planes[:, len(_PLANES) // 2] += glow
    spectra = torch.fft.rfft2(planes)
    spectra *= torch.stack([_transfer(each.camera, str(weight.device)) for each in how])
    image = torch.fft.irfft2(spectra.sum(1), s=shape).clamp(min=0)
    return image[:, :, _PAD // 2 : -_PAD // 2]


@lru_cache
def _transfer(camera: Camera, device: str) -> Tensor:
    """Return what the planes' spectra are multiplied by: the collimator's blur, and scatter's long tails."""
    down = np.fft.fftfreq(ROWS, camera.pixel)[:, None]
    across = np.fft.rfftfreq(COLS + _PAD, camera.pixel)
    square = down**2 + across**2

    def gauss(sigma: float) -> Array:
        blur: Array = np.exp(-2 * (np.pi * sigma) ** 2 * square)
        return blur

    scattered = camera.scatter * (0.55 * gauss(28) + 0.45 * gauss(75))
    return _stacked([(1 - camera.scatter) * gauss(camera.fwhm(far) / 2.355) + scattered for far in _PLANES], device)


def _field_of_view(patient: Patient, how: Acquisition, device: torch.device) -> Tensor:
    """Real frames are exactly zero beyond the scanned length and at the detector's edges."""
    from_middle = (torch.arange(ROWS, device=device) + 0.5 - ROWS / 2).abs() * how.camera.pixel
    cols = (torch.arange(COLS, device=device) + 0.5 - COLS / 2).abs() < COLS / 2 - _EDGE
    return (from_middle < patient.height_mm / 2 + how.top_mm)[:, None] & cols


def _masks(
    position: Tensor, bumps: _Bumps, patients: Sequence[Patient], how: Sequence[Acquisition]
) -> tuple[Tensor, Tensor]:
    """Return which canvas pixels lie over metastases and which over other foci, bool [n, 2, 512, 256] each."""
    row, col = _row_col(position[:, 0], position[:, 2], patients, how)
    found = []
    for wanted in (bumps.malignant, ~bumps.malignant):
        patient, point = bumps.patient[wanted & bumps.inner], bumps.point[wanted & bumps.inner]
        rows = (row[patient, point] * CANVAS[0] / ROWS).long()
        cols = (col[patient, point] * CANVAS[1] / COLS).long()
        seen = (rows >= 0) & (rows < CANVAS[0]) & (cols >= 0) & (cols < CANVAS[1])
        mask = torch.zeros(len(patients), *CANVAS, dtype=torch.bool, device=position.device)
        mask[patient[seen], rows[seen], cols[seen]] = True
        found.append(torch.stack([mask, mask.flip(2)], 1))
    return found[0], found[1]
