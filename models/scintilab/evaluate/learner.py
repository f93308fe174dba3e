"""Two plain classifiers, to find out what can be told without looking at the disease."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
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
"""Of pictures, which have more features than scans."""
FOLDS = 5


def _logistic(features: Features) -> Pipeline:
    return make_pipeline(StandardScaler(), *_components(features), LogisticRegression(C=0.1, max_iter=1000))


def _boosting(features: Features) -> Pipeline:
    trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=6, min_samples_leaf=10, random_state=0)
    return make_pipeline(StandardScaler(), *_components(features), trees)


LEARNERS: Mapping[str, Callable[[Features], Pipeline]] = {"logistic": _logistic, "boosting": _boosting}
"""A regularised logistic regression and small gradient-boosted trees, which need no straight line."""


def learn(features: Features, truth: Truth, patient: NDArray[np.integer]) -> Callable[[Features], Values]:
    """Fit the learner that does better on patients held back; return its score, higher meaning sick.

    Raises:
        ValueError: there are fewer than two sick or two healthy patients.
    """
    areas = {name: float(area_under_curve(truth, held_back(name, features, truth, patient))) for name in LEARNERS}
    best = LEARNERS[max(areas, key=lambda name: areas[name])](features).fit(features, truth)
    return lambda others: np.asarray(best.predict_proba(others)[:, 1])


def held_back(name: str, features: Features, truth: Truth, patient: NDArray[np.integer]) -> Values:
    """Return each scan's score by a learner that never saw its patient, [n], as a rank within its fold, 0 to 1.

    Ranks, because the scores of two folds have two zeros, which would read as AUC below 0.50 where there is nothing.
    """
    score = np.empty(len(truth))
    folds = min(FOLDS, *(len(np.unique(patient[truth == sick])) for sick in (True, False)))
    for known, rest in StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(features, truth, patient):
        fitted = LEARNERS[name](features[known]).fit(features[known], truth[known])
        score[rest] = rankdata(fitted.predict_proba(features[rest])[:, 1]) / len(rest)
    return score


def _components(features: Features) -> tuple[PCA, ...]:
    rows, columns = features.shape
    return (PCA(min(COMPONENTS, rows), svd_solver="full"),) if columns > COMPONENTS else ()
