"""Two plain classifiers, to find out what can be told without looking at the disease."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from scintilab.evaluate.bootstrap import Values
from scintilab.evaluate.discrimination import area_under_curve
from scintilab.evaluate.scans import Truth

Features = NDArray[np.float64]
"""[n, k]: a row a scan."""

COMPONENTS = 40
"""For the regression of pictures, which have more columns than scans."""


def _logistic(features: Features) -> Pipeline:
    rows, columns = features.shape
    components = [PCA(min(COMPONENTS, rows), svd_solver="full")] if columns > COMPONENTS else []
    return make_pipeline(StandardScaler(), *components, LogisticRegression(C=0.1, max_iter=1000))


def _boosting(_features: Features) -> Pipeline:
    trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=6, min_samples_leaf=10, random_state=0)
    return make_pipeline(trees)


LEARNERS: Mapping[str, Callable[[Features], Pipeline]] = {"logistic": _logistic, "boosting": _boosting}
"""A regularised logistic regression, which adds up what little many columns know, and small gradient-boosted trees,
which need no straight line and find the one column that knows much."""


def learn(features: Features, truth: Truth, patient: NDArray[np.integer]) -> Callable[[Features], Values]:
    """Fit the learner that does better on patients held back; return its score, higher meaning sick.

    Raises:
        ValueError: there are fewer than two sick or two healthy patients.
    """
    areas = {}
    for name in LEARNERS:
        rest, score = held_back(name, features, truth, patient)
        areas[name] = float(area_under_curve(truth[rest], score))
    best = LEARNERS[max(areas, key=lambda name: areas[name])](features).fit(features, truth)
    return lambda others: np.asarray(best.predict_proba(others)[:, 1])


def held_back(
    name: str, features: Features, truth: Truth, patient: NDArray[np.integer]
) -> tuple[NDArray[np.intp], Values]:
    """Learn from half of the patients; return the rows of the others and their scores, higher meaning sick.

    Half, and not one fold after the other: what is learnt from shared patients errs alike, and an interval that takes
    the scores as given would miss 0.50 far too often (Nadeau and Bengio, Machine Learning 52:239, 2003; here one and a
    half times as wide it should be). An interval of the half held back is sound as it is.
    """
    halves = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    known, rest = next(halves.split(features, truth, patient))
    fitted = LEARNERS[name](features[known]).fit(features[known], truth[known])
    return rest, np.asarray(fitted.predict_proba(features[rest])[:, 1])
