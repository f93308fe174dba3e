"""Do classifiers learn from synthetic scans what they would from more patients?

As Haberl et al. 2025 (EJNMMI, doi 10.1007/s00259-025-07091-8) asked, here on simulated ones.
Small sets of real scans are learnt from alone, moved and shortened at random, with synthetic scans, with synthetic
scans whose labels are shuffled (which must not help), and with as many more real ones (which is as good as it gets).
Patients of the generator, of the small sets, of validation and of the tests are never the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintilab.archive import Question
from scintilab.evaluate.bootstrap import RESAMPLES, Values
from scintilab.evaluate.drawn import draw
from scintilab.evaluate.evaluation import SIMULATED
from scintilab.evaluate.question import QUESTIONS
from scintilab.evaluate.scans import Scans
from scintilab.phantom.cohort import Cohort
from scintilab.phantom.streams import stream
from scintilab.studies.cell import ARMS, Arm, Cell, Side, Table
from scintilab.studies.cells import folder_of, run, write_table, written
from scintilab.studies.coarse import coarse
from scintilab.studies.compact import version
from scintilab.studies.gain import Gain, gains, together
from scintilab.studies.made import made
from scintilab.studies.origin import Origin
from scintilab.studies.people import require_disjoint
from scintilab.studies.samples import Generator, Labels, first_scans, of_cohort

SIZES = (25, 100, 400)
MULTIPLE = 4
STEPS = 300
SEEDS = 5
PUBLISHED: Mapping[Question, str] = {"metastasis": "+33 (10) %", "cardiac": "+5 (4) %"}
"""Gain of AUC in Haberl et al. 2025 at four external sites (7,472 scans of 6,448 patients), as printed there."""


class Plan(NamedTuple):
    """How long the study is."""

    sizes: Sequence[int] = SIZES
    """Real scans in a small set."""
    seeds: int = SEEDS
    """Trainings of each arm, each with another small set."""
    multiple: int = MULTIPLE
    """Synthetic scans, or more real ones, to each real one."""
    steps: int = STEPS
    """Of every training."""


@dataclass(frozen=True)
class Groups:
    """Who takes part; nobody has two roles.

    Args:
        generator: patients whom the generator has learnt from; synthetic scans are asked to show what they do.
        learners: of the same site.
        validate: of the same site.
        judges: by site; the first is the site of all others here, the rest are external.
    """

    generator: Cohort
    learners: Cohort
    validate: Cohort
    judges: Mapping[str, Cohort]


@dataclass(frozen=True)
class Augmentation:
    """What was found, and on whom: `data` is said at every figure and table.

    Args:
        data: who "real" scans are of.
        sizes: real scans in a small set.
        seeds: trainings of each arm.
        multiple: scans that are added to each real one.
        steps: of every training.
        resamples: of trainings and patients.
        patients: in each role.
        gains: by question, size, arm and site, and over the external sites ("mean").
        published: what the paper reports, by question; on other patients.
        origin: of generator and patients.
    """

    data: str
    sizes: list[int]
    seeds: int
    multiple: int
    steps: int
    resamples: int
    patients: dict[str, int]
    gains: dict[str, dict[str, dict[Arm, dict[str, Gain]]]]
    published: dict[str, str]
    origin: Origin


def augmentation(
    generator: Generator,
    groups: Groups,
    origin: Origin,
    work: Path,
    *,
    plan: Plan,
    questions: Sequence[Question] = ("metastasis", "cardiac"),
    workers: int = 1,
    resamples: int = RESAMPLES,
) -> Augmentation:
    """Run the study, or go on with it.

    Args:
        generator: that has learnt from the first group alone.
        groups: who takes part.
        origin: of generator and patients.
        work: folder for synthetic scans and finished trainings.
        plan: how long the study is.
        questions: to be asked.
        workers: processes that train, one core each.
        resamples: of trainings and patients.

    Raises:
        Refused: somebody has two roles, or there are too few learners.
    """
    roles = {"generator": groups.generator, "learners": groups.learners, "validate": groups.validate}
    require_disjoint({**roles, **{f"judges of site {site}": judges for site, judges in groups.judges.items()}})
    folder = folder_of(work / "augmentation", _terms(groups, origin, plan))
    for question in questions:
        if not written(question, folder):
            write_table(_table(question, generator, groups, origin.seed, work, plan), question, folder)
    seeds = range(1, plan.seeds + 1)
    cells = [Cell(*each) for each in product(questions, plan.sizes, ARMS, seeds)]
    said = run(cells, folder, multiple=plan.multiple, steps=plan.steps, workers=workers)
    return Augmentation(
        data=SIMULATED,
        sizes=list(plan.sizes),
        seeds=plan.seeds,
        multiple=plan.multiple,
        steps=plan.steps,
        resamples=resamples,
        patients={name: _patients(cohort) for name, cohort in {**roles, **groups.judges}.items()},
        gains={question: _gains(question, groups.judges, said, plan, resamples) for question in questions},
        published={question: PUBLISHED[question] for question in questions},
        origin=origin,
    )


def wanted(labels: Labels, question: Question, count: int, seed: int) -> Labels:
    """Draw what synthetic scans are asked to show: half of them sick, all else as in somebody who is, or is not."""
    chance, truth = stream(seed, question, "wanted"), labels.truth(question)
    half = count // 2
    rows = [
        chance.choice(np.flatnonzero(truth == sick), number) for sick, number in ((True, half), (False, count - half))
    ]
    return labels.part(chance.permutation(np.concatenate(rows)))


def _gains(
    question: Question, judges: Mapping[str, Cohort], said: Mapping[Cell, Values], plan: Plan, resamples: int
) -> dict[str, dict[Arm, dict[str, Gain]]]:
    """Measure every arm of a question, by size and site."""
    drawn = draw(_scans(question, judges), made_on=next(iter(judges)), resamples=resamples)

    def measured(size: int, arm: Arm) -> dict[str, Gain]:
        seeds = range(1, plan.seeds + 1)
        alone, with_it = ([said[Cell(question, size, each, seed)] for seed in seeds] for each in ("real", arm))
        return gains(drawn, alone, None if arm == "real" else with_it)

    found = {arm: {size: measured(size, arm) for size in plan.sizes} for arm in ARMS}
    found = {arm: lines if arm == "real" else together(lines) for arm, lines in found.items()}
    return {str(size): {arm: found[arm][size] for arm in ARMS} for size in plan.sizes}


def _table(question: Question, generator: Generator, groups: Groups, seed: int, work: Path, plan: Plan) -> Table:
    conditions = wanted(of_cohort(groups.generator).labels, question, max(plan.sizes) * plan.multiple, seed)
    synthetic = made(generator, seed, conditions, work / "synthetic", f"Synthetic scans, {question}")
    judges = [_side(question, judge, _eligible(question, judge)) for judge in groups.judges.values()]
    return Table(
        learners=_side(question, groups.learners, first_scans(groups.learners)),
        synthetic=Side(coarse(synthetic), conditions.truth(question)),
        validate=_side(question, groups.validate, first_scans(groups.validate)),
        judges=Side(np.concatenate([side.canvas for side in judges]), np.concatenate([side.truth for side in judges])),
    )


def _side(question: Question, cohort: Cohort, rows: NDArray[np.intp]) -> Side:
    samples = of_cohort(cohort)
    return Side(coarse(samples), samples.labels.truth(question)).part(rows)


def _eligible(question: Question, cohort: Cohort) -> NDArray[np.intp]:
    return np.flatnonzero(QUESTIONS[question].eligible(cohort))


def _scans(question: Question, judges: Mapping[str, Cohort]) -> Scans:
    """Return who judges as a table; what networks say of them stands elsewhere, a column each."""
    rows = [_eligible(question, cohort) for cohort in judges.values()]

    def column(of: Callable[[Cohort], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([of(cohort)[some] for cohort, some in zip(judges.values(), rows, strict=True)])

    return Scans(
        patient=column(lambda cohort: of_cohort(cohort).patient),
        site=column(lambda cohort: np.full(len(cohort), cohort.site)),
        visit=column(lambda cohort: cohort.truth.visit),
        truth=column(QUESTIONS[question].truth),
        probability=np.zeros(sum(map(len, rows))),
    )


def _terms(groups: Groups, origin: Origin, plan: Plan) -> dict[str, object]:
    """Return what decides the outcome of every cell."""
    everybody = {"generator": groups.generator, "learners": groups.learners, "validate": groups.validate}
    numbers = {
        role: [cohort.site, cohort.seed, *map(int, np.unique(cohort.truth.patient))]
        for role, cohort in {**everybody, **groups.judges}.items()
    }
    lengths = {"pool": max(plan.sizes) * plan.multiple, "multiple": plan.multiple, "steps": plan.steps}
    made_by = {"network": version(), "digest": origin.digest, "priors": origin.priors.sha256, "seed": origin.seed}
    return {**made_by, **lengths, **numbers}


def _patients(cohort: Cohort) -> int:
    return len(np.unique(cohort.truth.patient))
