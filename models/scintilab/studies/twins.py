"""Scans of patients with metastases beside those of the same patients without: what lies between is the metastases."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats
from scintilab.evaluate.bootstrap import Values
from scintilab.phantom.cohort import Cohort
from scintilab.studies.coarse import coarse
from scintilab.studies.noise_free import noise_free
from scintilab.studies.samples import Labels, Samples, of_cohort

_BODY = 0.15
"""Of the mean of a scan; where less is expected nobody lies."""


class Twins(NamedTuple):
    """Coarse scans without noise, [n, 2, 256, 64], and what they show or were asked to show."""

    load: Values
    """Bone scan index, percent of skeletal mass, [n]."""
    scans: Floats
    healthy: Floats

    def added(self) -> Values:
        """Return what metastases add, as a share of what is expected of the healthy twin, [n].

        Scans have the counts that were asked for, so each is first brought to the brightness of its twin.
        """
        body = self.healthy > _BODY * self.healthy.mean(axis=(1, 2, 3), keepdims=True)
        pairs = zip(self.scans, self.healthy, body, strict=True)
        return np.array([_added(scan[inside], healthy[inside]) for scan, healthy, inside in pairs])


def of_generator(scans: Samples, healthy: Samples) -> Twins:
    """Return those of made scans who were asked for metastases alone, and the same without."""
    rows = _metastases_alone(scans.labels)
    sides = (coarse(side.part(rows).expected()) for side in (scans, healthy))
    return Twins(scans.labels.load[rows], *sides)


def of_phantom(cohort: Cohort, rows: NDArray[np.intp], kept: Path) -> Twins:
    """Return those of some simulated scans that show metastases alone; see `noise_free` for the folder."""
    labels = of_cohort(cohort).labels
    alone = rows[_metastases_alone(labels.part(rows))]
    sides = (noise_free(cohort, alone, kept, healthy=healthy) for healthy in (False, True))
    return Twins(labels.load[alone], *sides)


def _metastases_alone(labels: Labels) -> NDArray[np.intp]:
    return np.flatnonzero(labels.metastatic & ~labels.cardiac)


def _added(scan: Floats, healthy: Floats) -> float:
    change = scan / np.median(scan / healthy) - healthy
    return float(change.clip(min=0).sum() / healthy.sum())
