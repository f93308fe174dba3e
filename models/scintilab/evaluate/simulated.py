"""A model judged on simulated patients of five sites, with all that stands beside it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats
from scintilab.archive import Question
from scintilab.evaluate.answers import Answers, Pixels, Reader, other_weights
from scintilab.evaluate.bootstrap import RESAMPLES
from scintilab.evaluate.drawn import Drawn, draw
from scintilab.evaluate.evaluation import Beside, Evaluation, evaluate
from scintilab.evaluate.pointers import pointers
from scintilab.evaluate.provenance import provenance
from scintilab.evaluate.question import QUESTIONS, Asked
from scintilab.evaluate.scans import Fate, Scans
from scintilab.phantom.cohort import Cohort


def judge(
    question: Question,
    reader: Reader,
    train: Cohort,
    sites: Sequence[Cohort],
    work: Path,
    *,
    reruns: Sequence[Path] = (),
    resamples: int = RESAMPLES,
) -> tuple[Evaluation, Drawn]:
    """Return what was measured, and the scans it was measured of.

    Args:
        question: that the model answers.
        reader: of the served graph.
        train: what the model learnt from, and the baselines learn from; its site is the one that the model was made on.
        sites: who judges; none of them is in `train`.
        work: a folder for graphs with random weights.
        reruns: graphs of the same network trained from other seeds.
        resamples: of patients.
    """
    asked, threshold = QUESTIONS[question], reader.manifest.threshold
    sites = [site.part(asked.eligible(site)) for site in sites]
    answers = [reader.ask(pixels(site), f"Site {site.site}, {question}") for site in sites]
    scans = [table(asked, site, answer) for site, answer in zip(sites, answers, strict=True)]
    drawn = draw(joined(scans), made_on=train.site, resamples=resamples)
    rivals = asked.rivals(train)
    game = _game(question, sites, answers, scans, reader, work)
    beside = Beside(
        baselines={name: np.concatenate([score(site) for site in sites]) for name, score in rivals.items()},
        pointing=game,
        reruns=_reruns(reader, sites, reruns, drawn),
        null=replace(drawn, scans=replace(drawn.scans, fate=_null(asked, sites))),
    )
    found = evaluate(
        drawn,
        threshold,
        edges=asked.edges,
        prevalences=asked.prevalences,
        beside=beside,
        provenance=provenance(reader, simulated=True),
    )
    return found, drawn


def pixels(cohort: Cohort) -> Pixels:
    """Return the scans of a cohort as a graph takes them."""

    def read(rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        return cohort.canvas[rows].astype(np.float32), np.ones((len(rows), 2), np.float32)

    return Pixels(len(cohort), hashlib.sha256(np.ascontiguousarray(cohort.canvas).data).hexdigest(), read)


def table(asked: Asked, cohort: Cohort, answers: Answers) -> Scans:
    """Return one site as a table."""
    truth = cohort.truth
    return Scans(
        patient=np.char.add(f"{cohort.site}-", truth.patient.astype(str)),
        site=np.full(len(cohort), cohort.site),
        visit=truth.visit,
        truth=asked.truth(cohort),
        probability=answers.probability,
        strata=asked.strata(cohort),
        fate=Fate(truth.years, truth.died, asked.burden(cohort)),
    )


def joined(sites: Sequence[Scans]) -> Scans:
    """Return the tables of several sites as one; they have the same columns."""

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([site.columns()[name] for site in sites])

    first = sites[0]
    return Scans(
        patient=column("patient"),
        site=column("site"),
        visit=column("visit"),
        truth=np.concatenate([site.truth for site in sites]),
        probability=column("probability"),
        strata={name: column(name) for name in first.strata},
        fate=None if first.fate is None else Fate(column("years"), column("died"), column("burden")),
    )


def _null(asked: Asked, sites: Sequence[Cohort]) -> Fate:
    """Return what had become of the same patients, had disease no influence on dying."""
    return Fate(
        np.concatenate([site.truth.null_years for site in sites]),
        np.concatenate([site.truth.null_died for site in sites]),
        np.concatenate([asked.burden(site) for site in sites]),
    )


def _game(
    question: Question,
    sites: Sequence[Cohort],
    answers: Sequence[Answers],
    scans: Sequence[Scans],
    reader: Reader,
    work: Path,
) -> dict[str, NDArray[np.float64]]:
    """Play at the true positives; the phantom keeps masks of metastases alone."""
    if question != "metastasis":
        return {}
    played = [
        pointers(site, pixels(site), answer, scan.truth & (scan.probability >= reader.manifest.threshold), reader, work)
        for site, answer, scan in zip(sites, answers, scans, strict=True)
    ]
    return {name: np.concatenate([rates[name] for rates in played]) for name in played[0]}


def _reruns(
    reader: Reader, sites: Sequence[Cohort], graphs: Sequence[Path], drawn: Drawn
) -> list[NDArray[np.floating]]:
    """Return the model's own probabilities and those of the other seeds."""
    others = [reader.instead(other_weights(reader.manifest, graph)) for graph in graphs]
    found = [
        np.concatenate([other.ask(pixels(site), f"Site {site.site}, {graph.name}").probability for site in sites])
        for other, graph in zip(others, graphs, strict=True)
    ]
    return [drawn.scans.probability, *found] if found else []
