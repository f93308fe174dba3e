"""Everything that is measured of one model, site by site: the content of `evaluation.json`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scintilab.evaluate.baseline import Baseline, baseline
from scintilab.evaluate.bootstrap import Estimate, Values
from scintilab.evaluate.discrimination import area_under_curve, f1, sensitivity, specificity
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.pointing import Pointing, pointing
from scintilab.evaluate.provenance import Provenance
from scintilab.evaluate.scans import Scores
from scintilab.evaluate.site import Site, judge
from scintilab.evaluate.survival import Outcome, outcome

SIMULATED = "simulated patients"
CARDIAC_PREVALENCES = (0.001, 0.007, 0.011, 0.03)
"""Of Perugini 2 and more among all who are scanned; 3 % were seen in Vienna (388 of 11,616)."""
DIGITS = 6


@dataclass(frozen=True)
class Beside:
    """What stands beside the model; each part may be missing.

    Args:
        baselines: scores that need no model, by name, [n] each.
        pointing: which maps point at a lesion, by name, [n] each; NaN where a scan was not asked.
        reruns: probabilities of the same network trained from other seeds, [n] each.
        null: a cohort whose hazard ignores disease, with what became of it.
    """

    baselines: Mapping[str, Scores] = field(default_factory=dict)
    pointing: Mapping[str, Values] = field(default_factory=dict)
    reruns: Sequence[Scores] = ()
    null: Drawn | None = None


@dataclass(frozen=True)
class Mean:
    """The weighted mean over the sites that the model was not made on, as far as a site has the measure at all."""

    sites: list[str]
    auc: Estimate
    tpr: Estimate
    tnr: Estimate
    f1: Estimate


@dataclass(frozen=True)
class Evaluation:
    """What was measured, and of whom: `data` is said at every figure and table."""

    data: str
    threshold: float
    made_on: str
    resamples: int
    seed: int
    sites: dict[str, Site]
    mean: Mean
    baselines: dict[str, Baseline]
    pointing_game: dict[str, Pointing]
    logrank_p: float | None
    survival: Outcome | None
    null_survival: Outcome | None
    provenance: Provenance | None

    def document(self) -> dict[str, Any]:
        """Return it as plain values: rounded, and null where there is no number."""
        return {name: plain(value) for name, value in asdict(self).items()}

    def write(self, path: Path) -> None:
        """Write `evaluation.json`."""
        path.write_text(json.dumps(self.document(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def evaluate(
    drawn: Drawn,
    threshold: float,
    *,
    data: str = SIMULATED,
    edges: Mapping[str, Sequence[float]] | None = None,
    prevalences: Sequence[float] = (),
    beside: Beside | None = None,
    provenance: Provenance | None = None,
) -> Evaluation:
    """Measure a model.

    Args:
        drawn: what it said, the truth, and the draws of patients.
        threshold: from which on it calls a scan positive; frozen on the site that it was made on.
        data: who was scanned, in words that stand at every figure.
        edges: where columns of numbers in `drawn.scans.strata` are cut into bands.
        prevalences: for which to give predictive values, 0 to 1.
        beside: what to compare with.
        provenance: of which weights, engine and priors this is; None where nobody knows.
    """
    beside = beside or Beside()
    fate = outcome(drawn, threshold)
    return Evaluation(
        data=data,
        threshold=threshold,
        made_on=drawn.made_on,
        resamples=len(drawn.weights),
        seed=drawn.seed,
        sites={
            site: judge(
                drawn.only(here),
                threshold,
                edges=edges or {},
                prevalences=prevalences,
                reruns=[probability[here] for probability in beside.reruns],
            )
            for site, here in drawn.sites().items()
        },
        mean=_mean(drawn, threshold),
        baselines={name: baseline(drawn, score) for name, score in beside.baselines.items()},
        pointing_game={name: pointing(drawn, hit) for name, hit in beside.pointing.items()},
        logrank_p=fate.logrank_p if fate else None,
        survival=fate,
        null_survival=outcome(beside.null, threshold) if beside.null else None,
        provenance=provenance,
    )


def _mean(drawn: Drawn, threshold: float) -> Mean:
    probability = drawn.scans.probability
    positive = probability >= threshold
    return Mean(
        sites=drawn.others(),
        auc=drawn.mean(drawn.by_site(area_under_curve, probability)),
        tpr=drawn.mean(drawn.by_site(sensitivity, positive)),
        tnr=drawn.mean(drawn.by_site(specificity, positive)),
        f1=drawn.mean(drawn.by_site(f1, positive)),
    )


def plain(value: Any) -> Any:
    """Return what was measured as JSON can hold it: rounded, and null where there is no number."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
