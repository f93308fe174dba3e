"""Made-up cohorts with pixels: grey bodies, bright squares for metastases, a bright heart; no physics."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scintilab.phantom.cohort import Cohort, Truth
from scintilab.phantom.foci import SUPERSCAN

HEIGHT, WIDTH = 512, 256
HEART = (slice(140, 180), slice(110, 150))
_SPOT = (10, 20)


def cohort(
    site: str, patients: int, *, seed: int = 0, brightness: float = 1.0, uptake: float = 60.0, sick: float = 0.4
) -> Cohort:
    """Draw patients of a site, one in five with a second scan; `uptake` is what a metastasis adds to a pixel.

    Args:
        site: its name.
        patients: how many.
        seed: of everything.
        brightness: of the whole site, times that of others.
        uptake: counts.
        sick: the share with metastases; as many have cardiac uptake, whoever they are.
    """
    return _drawn(site, patients, seed, brightness, uptake, sick, disease=True)


def twin(site: str, patients: int, *, seed: int = 0, brightness: float = 1.0, sick: float = 0.4) -> Cohort:
    """Draw the same patients in the same noise, without disease."""
    return _drawn(site, patients, seed, brightness, 0.0, sick, disease=False)


def changed(cohort: Cohort, **columns: NDArray[np.generic]) -> Cohort:
    """Return the cohort with other columns of truth."""
    return replace(cohort, truth=cohort.truth._replace(**columns))


def brighter(cohort: Cohort, times: float) -> Cohort:
    """Return the cohort with more counts in every pixel."""
    return replace(cohort, canvas=(cohort.canvas.astype(np.float32) * times).astype(np.float16))


def moved(cohort: Cohort, rows: int) -> Cohort:
    """Return the cohort further down the table."""
    return replace(cohort, canvas=np.roll(cohort.canvas, rows, axis=2))


def bright_corner(cohort: Cohort, who: NDArray[np.bool_]) -> Cohort:
    """Return the cohort with a corner of the anterior view that is brighter in some scans."""
    canvas = cohort.canvas.copy()
    canvas[who, 0, :16, :16] += 1
    return replace(cohort, canvas=canvas)


def dark_legs(cohort: Cohort, who: NDArray[np.bool_]) -> Cohort:
    """Return the cohort with a third fewer counts in the legs of some scans."""
    canvas = cohort.canvas.copy()
    canvas[who, :, 350:] *= np.float16(2 / 3)
    return replace(cohort, canvas=canvas)


def _drawn(
    site: str, patients: int, seed: int, brightness: float, uptake: float, sick: float, *, disease: bool
) -> Cohort:
    rng = np.random.default_rng((seed, *site.encode()))
    whose = np.sort(np.append(np.arange(patients), np.flatnonzero(rng.random(patients) < 0.2)))
    n = len(whose)
    load = np.where(rng.random(patients) < sick, rng.integers(1, 6, patients), 0)[whose] * disease
    grade = np.where(rng.random(patients) < sick, rng.integers(2, 4, patients), rng.integers(0, 2, patients))[whose]
    grade = grade * disease
    counts = rng.lognormal(np.log(1e6), 0.1, n)
    body = np.zeros((HEIGHT, WIDTH), np.float32)
    body[30:480, 70:186] = 2 * brightness
    mean = body * (counts / 1e6)[:, None, None, None] * np.ones((1, 2, 1, 1), np.float32)
    mask = np.zeros((n, 2, HEIGHT, WIDTH), np.bool_)
    benign = np.zeros_like(mask)
    places = rng.integers((40, 75), (460, 165), (n, 8, 2))
    for row in range(n):
        for number, (down, across) in enumerate(places[row, : load[row] + 2]):
            spot = (row, slice(None), slice(down, down + _SPOT[0]), slice(across, across + _SPOT[1]))
            (benign if number < 2 else mask)[spot] = True
    mean += benign * 20 + mask * uptake
    mean[(slice(None), 0, *HEART)] += 4.0 * grade[:, None, None]
    canvas = mean + np.sqrt(mean) * rng.standard_normal(mean.shape, np.float32)
    followed, end = rng.exponential(6, n) / (1 + load), rng.uniform(2, 8, n)
    null = rng.exponential(6, n)
    heart = canvas[(slice(None), 0, *HEART)].mean((1, 2)) / (2 * counts / 1e6)
    truth = Truth(
        patient=whose.astype(np.int64),
        visit=np.append(0, (whose[1:] == whose[:-1]).astype(np.int64)),
        age=rng.normal(65, 10, n),
        sex=rng.choice(["F", "M"], n),
        height_mm=rng.normal(1700, 80, patients)[whose],
        bmi=rng.normal(27, 4, n),
        tracer=rng.choice(["MDP", "HDP"], n),
        scanner=np.full(n, f"scanner {site}"),
        injection=rng.choice(["left elbow", "right hand", "port"], n),
        counts=counts,
        pose=rng.normal(size=(n, 4)),
        primary=np.full(n, "prostate"),
        perugini=grade.astype(np.int64),
        metastases=np.where(load == 5, SUPERSCAN, load).astype(np.int64),
        bsi=load * 2.5,
        foci=np.stack([load, *rng.poisson(1, (3, n))], axis=1),
        heart_ratio=heart.astype(np.float64),
        heart=np.tile([150.0, 140.0], (n, 1)),
        years=np.minimum(followed, end),
        died=followed < end,
        null_years=np.minimum(null, end),
        null_died=null < end,
        metastasis_mask=np.packbits(mask, axis=-1),
        benign_mask=np.packbits(benign, axis=-1),
    )
    return Cohort(site, seed, np.maximum(canvas, 0).astype(np.float16), truth)
