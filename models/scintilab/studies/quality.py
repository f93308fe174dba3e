"""Do synthetic scans look like real ones, and do they show what they were asked for? Everything that is measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np

from scintiflow.inference.session import Floats
from scintilab.archive import Question
from scintilab.evaluate.answers import Reader
from scintilab.evaluate.bootstrap import Estimate, Resampled, Values, Weights
from scintilab.evaluate.evaluation import SIMULATED
from scintilab.evaluate.learner import LEARNERS, Features
from scintilab.studies import regions
from scintilab.studies.coarse import coarse
from scintilab.studies.compact import Network, features
from scintilab.studies.compared import Compared, Space, compared, draws
from scintilab.studies.distances import frechet_drawn, kernel, standardised
from scintilab.studies.fidelity import Agreement, Fidelity, agreement, fidelity, told
from scintilab.studies.manifold import Manifold, manifold
from scintilab.studies.origin import Origin
from scintilab.studies.samples import Samples
from scintilab.studies.shortcuts import shortcuts
from scintilab.studies.twins import Twins
from scintilab.studies.two_sample import by_features, by_pixels

RESAMPLES = 500

Measure = Callable[[Features, Features, tuple[Weights, Weights]], Values]
"""Two sets and the weights of their rows, [n] or [resamples, n] -> one number, or [resamples]."""


class Groups(NamedTuple):
    """Who is compared, one scan a patient, as many in each of the first three.

    Args:
        reference: real scans that all others are set against.
        real: other real ones, of other patients.
        synthetic: asked to show what the real ones do.
        twins: the synthetic ones, asked to be healthy.
        judged: real scans that no classifier has learnt from.
        pairs: "synthetic" and "phantom", with and without metastases.
    """

    reference: Samples
    real: Samples
    synthetic: Samples
    twins: Samples
    judged: Samples
    pairs: Mapping[str, Twins]


@dataclass(frozen=True)
class Detected:
    """AUC with which synthetic scans are told from real ones, and other real ones from the same; ideally 0.50."""

    synthetic: Estimate
    real: Estimate


@dataclass(frozen=True)
class Shortcut:
    """Whether sick are told from healthy without the disease, by one suspect."""

    question: str
    suspect: str
    areas: dict[str, Estimate]
    shortcut: bool
    words: str


@dataclass(frozen=True)
class Quality:
    """What was measured, and of whom: `data` is said at every figure and table.

    Args:
        data: who "real" scans are of.
        scans: in each group.
        resamples: of patients.
        distances: by space of features and measure.
        two_sample: AUC by what looks at the scans; of real against other real scans beside it.
        fidelity: what was measured in synthetic scans, and in phantom scans of known labels ("ceiling").
        added: load against what it adds to the expected counts of a healthy twin, in synthetic and in phantom scans.
        classifiers: the served classifiers on synthetic and on phantom scans, by question.
        shortcuts: every suspect.
        origin: of generator and patients.
    """

    data: str
    scans: int
    resamples: int
    distances: dict[str, dict[str, Compared]]
    two_sample: dict[str, Detected]
    fidelity: dict[str, Fidelity]
    added: dict[str, Agreement]
    classifiers: dict[str, Compared]
    shortcuts: list[Shortcut]
    origin: Origin


def quality(
    groups: Groups,
    spaces: Mapping[str, Space],
    regressor: Network,
    readers: Mapping[Question, Reader],
    origin: Origin,
    *,
    steps: int,
    resamples: int = RESAMPLES,
) -> Quality:
    """Measure a generator.

    Args:
        groups: who is compared.
        spaces: in which features, by name.
        regressor: measures load and heart; it has learnt from none of those whom it measures.
        readers: of served classifiers, by question.
        origin: of generator and patients.
        steps: of the network that looks for differences.
        resamples: of patients.
    """
    reference, real, synthetic = (coarse(group) for group in groups[:3])
    return Quality(
        data=SIMULATED,
        scans=len(real),
        resamples=resamples,
        distances={
            name: apart(space(reference), space(real), space(synthetic), resamples) for name, space in spaces.items()
        },
        two_sample=_detected(reference, real, synthetic, steps, resamples),
        fidelity={
            "synthetic": fidelity(regressor, synthetic, groups.synthetic.labels, resamples=resamples),
            "phantom": fidelity(regressor, coarse(groups.judged), groups.judged.labels, resamples=resamples),
        },
        added={
            name: agreement(np.log1p(pairs.load), np.log(pairs.added()), resamples=resamples)
            for name, pairs in groups.pairs.items()
        },
        classifiers={
            question: told(question, reader, groups.synthetic, groups.judged, resamples=resamples)
            for question, reader in readers.items()
        },
        shortcuts=_shortcuts(groups, resamples),
        origin=origin,
    )


def spaces(stranger: Network, untrained: Network) -> dict[str, Space]:
    """Return the spaces in which scans are compared."""
    return {
        "classifier of another site": lambda canvas: features(stranger, canvas),
        "random network": lambda canvas: features(untrained, canvas),
        "ratios of regions": regions.table,
    }


def apart(reference: Features, real: Features, synthetic: Features, resamples: int) -> dict[str, Compared]:
    """Set real and synthetic features, [n, k] each, against the reference, by every measure."""
    reference, real, synthetic = standardised(reference, real, synthetic, like=np.concatenate([reference, real]))
    groups = (reference, real, synthetic)
    drawn = [draws(len(group), resamples, seed) for seed, group in enumerate(groups)]
    once = [np.ones(len(group)) for group in groups]

    def taken(measure: Measure, place: int) -> Resampled:
        value = measure(reference, groups[place], (once[0], once[place]))
        return Resampled(float(value), measure(reference, groups[place], (drawn[0], drawn[place])))

    return {name: compared(taken(measure, 2), taken(measure, 1)) for name, measure in MEASURES.items()}


def _of_manifold(name: str) -> Measure:
    return lambda reference, group, drawn: np.asarray(getattr(manifold(reference, group, drawn), name))


MEASURES: Mapping[str, Measure] = {
    "Frechet distance": frechet_drawn,
    "kernel distance": kernel,
    **{name: _of_manifold(name) for name in Manifold._fields},
}


def _detected(reference: Floats, real: Floats, synthetic: Floats, steps: int, resamples: int) -> dict[str, Detected]:
    """Try to tell the reference from synthetic scans, and from other real ones: by ratios of regions, and by pixels."""
    ratios = [regions.table(group) for group in (reference, real, synthetic)]
    by_ratios = [by_features(ratios[0], group, resamples=resamples) for group in (ratios[2], ratios[1])]
    by_network = [by_pixels(reference, group, steps=steps, resamples=resamples) for group in (synthetic, real)]
    found = {f"{name}, ratios of regions": Detected(by_ratios[0][name], by_ratios[1][name]) for name in LEARNERS}
    return {**found, "small network, pixels": Detected(*by_network)}


def _shortcuts(groups: Groups, resamples: int) -> list[Shortcut]:
    questions: tuple[Question, ...] = get_args(Question)
    found = [
        verdict
        for question in questions
        for verdict in shortcuts(question, groups.synthetic, groups.twins, tables=len(questions), resamples=resamples)
    ]
    return [
        Shortcut(verdict.question, verdict.suspect, dict(verdict.areas), verdict.shortcut, str(verdict))
        for verdict in found
    ]
