"""The tests of `scintilab.shortcuts` on synthetic scans: does a generator put the label where the disease is not?

A synthetic scan's twin is made from the same noise and the same seed, asked to be healthy. Where a scan expects more
than its twin is where it shows disease.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintiflow.inference.session import Floats
from scintilab.archive import Question
from scintilab.evaluate.bootstrap import RESAMPLES
from scintilab.evaluate.hot_spots import hot_spots
from scintilab.evaluate.question import Rival
from scintilab.phantom.cohort import Cohort, Truth
from scintilab.phantom.foci import SUPERSCAN
from scintilab.shortcuts.suspect import suspects
from scintilab.shortcuts.verdict import MEAN, Verdict, verdicts
from scintilab.studies.samples import AT_ONCE, Samples

SUPERSCAN_LOAD = 7.0
"""Bone scan index, percent, that only superscans reach in the phantom."""
BRIGHTER = 1.25
"""Times its twin's that a pixel expects where disease is."""
FAINT = 0.3
"""Of a view's mean: what expects less is air."""
SUSPECTS = (
    "counts",
    "counts of the twin",
    "picture without lesions",
    "picture without chest",
    "picture of the twin",
    "hot spots of the twin",
)
"""What can be asked of scans that nobody was: a generator knows no height, pose or injection."""
SCORES: dict[str, Rival] = {"hot spots": lambda cohort: hot_spots(cohort.canvas)}


def shortcuts(
    question: Question, scans: Samples, twins: Samples, *, tables: int = 1, resamples: int = RESAMPLES
) -> list[Verdict]:
    """Try every shortcut that a synthetic scan may hold.

    Args:
        question: whose answer must not be told.
        scans: synthetic ones, from what is expected.
        twins: the same, asked to be healthy, row by row.
        tables: how many like this one are shown together.
        resamples: of scans.
    """
    mask, usual = _disease(scans, twins)
    # Scans of equal counts are dimmer where disease takes some: their twins count what is left, as the phantom's do.
    paler = replace(twins, canvas=twins.canvas.astype(np.float16) * usual.astype(np.float16))
    cohort, same = _as_cohort(scans, mask), _as_cohort(paler, np.zeros_like(mask))
    tried = suspects(question, cohort, same, SCORES, resamples=resamples)
    found = verdicts(
        question,
        {"synthetic": (cohort, [suspect for suspect in tried if suspect.name in SUSPECTS])},
        tables=tables,
    )
    return [verdict for verdict in found if verdict.site != MEAN]


def _disease(scans: Samples, twins: Samples) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    """Return where scans show disease, packed along columns, and how bright all else is beside its twin."""
    pairs = zip(scans.expected().batches(), twins.expected().batches(), strict=True)
    masks, usual = zip(*(_brighter(scan, twin) for scan, twin in pairs), strict=True)
    return np.concatenate(masks), np.concatenate(usual)


def _brighter(scan: Floats, twin: Floats) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    """Compare pixels of the body, most of which a scan and its twin have in common."""
    body = twin > FAINT * twin.mean((2, 3), keepdims=True)
    ratio = np.divide(scan, twin, out=np.full_like(scan, np.nan), where=body)
    usual = np.nanmedian(ratio, axis=(1, 2, 3), keepdims=True)
    return np.packbits(np.nan_to_num(ratio) > BRIGHTER * usual, axis=-1), usual


def _as_cohort(samples: Samples, mask: NDArray[np.uint8]) -> Cohort:
    """Return synthetic scans as the phantom's, with nothing in the columns that they do not have."""
    labels, n = samples.labels, len(samples)
    canvas = np.empty((n, 2, HEIGHT, WIDTH), np.float16)
    for number, some in enumerate(samples.batches()):
        canvas[number * AT_ONCE : (number + 1) * AT_ONCE] = some
    known = {
        "patient": np.arange(n),
        "sex": labels.sex,
        "tracer": labels.tracer,
        "scanner": labels.scanner,
        "injection": np.full(n, ""),
        "primary": np.full(n, ""),
        "counts": canvas.sum((1, 2, 3), dtype=np.float64),
        "pose": np.zeros((n, 1)),
        "perugini": labels.perugini,
        "metastases": np.where(labels.load >= SUPERSCAN_LOAD, SUPERSCAN, labels.metastatic).astype(np.int64),
        "bsi": labels.load,
        "foci": np.zeros((n, 1), np.int64),
        "heart": np.zeros((n, 2)),
        "metastasis_mask": mask,
        "benign_mask": np.zeros_like(mask),
    }
    columns = {name: known.get(name, np.zeros(n)) for name in Truth._fields}
    return Cohort("synthetic", 0, canvas, Truth(**columns))
