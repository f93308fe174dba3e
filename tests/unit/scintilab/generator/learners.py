"""Few learners for tests: scans of noise, half of them with a metastasis."""

import numpy as np

from scintilab.generator.conditions import conditions
from scintilab.generator.learners import Learners, Simulated
from scintilab.phantom.cohort import Cohort
from tests.unit.scintilab.cohorts import a_cohort


def few(scans: int = 6) -> Learners:
    """Return so many to learn from, and three that are held out."""
    learnt, held_out = Simulated([_scanned(scans, 5), _scanned(2, 6)]), Simulated([_scanned(3, 7)])
    return Learners(learnt, held_out, conditions(learnt.column("bsi").astype(float), ["DPD"], ["Symbia"]))


def _scanned(scans: int, seed: int) -> Cohort:
    cohort = a_cohort(scans, seed)
    truth = cohort.truth._replace(bsi=2.0 * (cohort.truth.metastases > 0), scanner=np.full(scans, "Symbia"))
    return Cohort(cohort.site, cohort.seed, cohort.canvas, truth)
