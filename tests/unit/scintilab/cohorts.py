"""A cohort for tests: few scans of noise, with a truth about each."""

import numpy as np

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintilab.phantom.cohort import Cohort, Truth
from scintilab.phantom.foci import REGIONS


def a_cohort(scans: int = 8, seed: int = 5) -> Cohort:
    """Return scans of half as many patients; every second scan has one metastasis and a heart of grade 2."""
    rng, row = np.random.default_rng(seed), np.arange(scans)
    mask = np.zeros((scans, 2, HEIGHT, WIDTH), np.bool_)
    mask[1::2, 0, 200:210, 100:110] = mask[1::2, 1, 200:210, -110:-100] = True
    known = {
        "patient": row // 2,
        "visit": row % 2,
        "age": np.full(scans, 70.0),
        "sex": np.full(scans, "M"),
        "tracer": np.full(scans, "DPD"),
        "perugini": 2 * (row % 2),
        "metastases": row % 2,
        "heart_ratio": 1.0 + row % 2,
        "heart": np.tile([180.0, 145.0], (scans, 1)),
        "foci": np.zeros((scans, len(REGIONS)), np.int64),
        "pose": np.zeros((scans, 3)),
        "metastasis_mask": np.packbits(mask, axis=-1),
        "benign_mask": np.packbits(np.zeros_like(mask), axis=-1),
    }
    rest = {name: np.zeros(scans) for name in Truth._fields if name not in known}
    canvas = (rng.poisson(12, (scans, 2, HEIGHT, WIDTH)) / 2).astype(np.float16)
    return Cohort("A", seed, canvas, Truth(**known, **rest))
