"""Are synthetic scans closer to patients who were learnt from than to others, as nobody's scans are?"""

import numpy as np
from numpy.typing import NDArray

from scintilab.evaluate.bootstrap import Estimate, Resampled, Values, Weights, bootstrap
from scintilab.evaluate.discrimination import area_under_curve, roc
from scintilab.evaluate.drawn import share
from scintilab.evaluate.learner import Features
from scintilab.evaluate.scans import Scores, Truth
from scintilab.studies.compared import draws
from scintilab.studies.guard import nearest
from scintilab.studies.manifold import distances

FPR = 0.01


def nearest_ratio(
    scans: Features, training: Features, held_out: Features, *, resamples: int, seed: int = 0
) -> Resampled:
    """Return the median over scans of the distance to the nearest training patient over that to the nearest other one.

    1 where training patients are nothing special; less where scans remember them. Scans and both groups of patients are
    drawn again and again.

    Args:
        scans: features, [n, k].
        training: of patients who were learnt from, [m, k].
        held_out: of as many who were not: among more, the nearest would be nearer.
        resamples: of all three.
        seed: of the draws.

    Raises:
        ValueError: the groups are of different size.
    """
    if len(training) != len(held_out):
        raise ValueError(f"{len(training)} training patients and {len(held_out)} others: they must be as many.")
    to_training, to_others = distances(scans, training), distances(scans, held_out)
    drawn = [draws(len(group), resamples, (seed, k)) for k, group in enumerate((scans, training, held_out))]

    def median(rows: NDArray[np.intp], learnt: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
        return float(np.median((to_training[:, learnt].min(1) / to_others[:, others].min(1))[rows]))

    everybody, all_rows = np.ones(len(training), np.bool_), np.arange(len(scans))
    samples = [
        median(np.repeat(all_rows, scan.astype(int)), learnt > 0, others > 0)
        for scan, learnt, others in zip(*drawn, strict=True)
    ]
    return Resampled(median(all_rows, everybody, everybody), np.array(samples))


def inauthentic(scans: Features, training: Features, *, resamples: int) -> Resampled:
    """Return the share of scans closer to a training scan than that one's own nearest neighbour among training scans.

    One minus the authenticity of Alaa et al. 2022, arXiv 2102.08921.
    """
    apart, own = distances(scans, training), distances(training, training)
    np.fill_diagonal(own, np.inf)
    record = apart.argmin(1)
    copied = apart[np.arange(len(scans)), record] < own.min(1)[record]
    return rate(copied, resamples=resamples)


def rate(happened: Truth, *, resamples: int) -> Resampled:
    """Return the share of scans, [n], to which something happened."""
    return Resampled(float(happened.mean()), share(happened, happened, draws(len(happened), resamples)))


def distance_attack(training: Features, held_out: Features, scans: Features) -> Scores:
    """Return how surely each patient was learnt from, [training, then held out]: the nearer to some scan, the surer.

    What somebody can do who has only the scans (Chen et al. 2020, arXiv 1909.03935).
    """
    return -nearest(np.concatenate([training, held_out]), scans)


def membership(member: Truth, score: Scores, *, resamples: int) -> tuple[Estimate, Estimate]:
    """Return how well a score tells members from others: AUC, and the share found with FPR false alarms."""
    area = bootstrap(area_under_curve, member, score, resamples=resamples)
    return area, bootstrap(_found_at_fpr, member, score, resamples=resamples)


def _found_at_fpr(truth: Truth, score: NDArray[np.floating], weights: Weights) -> Values:
    fpr, tpr = roc(truth, score, weights)
    return np.asarray(np.where(fpr <= FPR, tpr, 0).max(-1))[()]
