"""Can a classifier tell synthetic scans from real ones? An upper bound of what any reader could; ideally 0.50.

The classifier two-sample test of Lopez-Paz and Oquab 2017, arXiv 1610.06545. It is no reader study: nobody has looked.
"""

from collections.abc import Mapping

import numpy as np

from scintiflow.inference.session import Floats
from scintilab.evaluate.bootstrap import RESAMPLES, Estimate, bootstrap
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.learner import LEARNERS, Features, held_back
from scintilab.studies.compact import Chosen, classifier, scores

STEPS = 400


def by_features(real: Features, synthetic: Features, *, resamples: int = RESAMPLES) -> Mapping[str, Estimate]:
    """Return the AUC of each plain learner, on the half of the scans that it has not learnt from.

    Args:
        real: [n, k], a row a patient.
        synthetic: [m, k].
        resamples: of scans.
    """
    both = np.concatenate([real, synthetic])
    truth = np.arange(len(both)) >= len(real)
    found = {}
    for name in LEARNERS:
        rest, score = held_back(name, both, truth, np.arange(len(both)))
        found[name] = bootstrap(area_under_curve, truth[rest], score, resamples=resamples)
    return found


def by_pixels(
    real: Floats, synthetic: Floats, *, seed: int = 1, steps: int = STEPS, resamples: int = RESAMPLES
) -> Estimate:
    """Return the AUC of a small network on the last half of coarse scans, chosen with the fourth quarter of the first.

    Args:
        real: coarse scans, [n, 2, 256, 64], a row a patient.
        synthetic: as many.
        seed: of the training.
        steps: of it.
        resamples: of scans.
    """
    both = np.concatenate([real, synthetic])
    truth = np.arange(len(both)) >= len(real)
    place = np.concatenate([np.linspace(0, 1, len(part), endpoint=False) for part in (real, synthetic)])
    learnt, chosen, judged = place < 3 / 8, (place >= 3 / 8) & (place < 1 / 2), place >= 1 / 2
    network = classifier(
        both[learnt], truth[learnt], Chosen(both[chosen], truth[chosen]), seed=seed, steps=steps, classic=False
    )
    return bootstrap(area_under_curve, truth[judged], scores(network, both[judged]), resamples=resamples)
