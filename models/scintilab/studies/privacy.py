"""Are synthetic scans copies of scans that the generator has learnt from? The audit, on scans without noise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scintiflow.inference.session import Floats
from scintilab.evaluate.bootstrap import Estimate, Resampled
from scintilab.evaluate.evaluation import SIMULATED
from scintilab.evaluate.learner import Features
from scintilab.evaluate.scans import Scores, Truth
from scintilab.studies.compact import Network, features
from scintilab.studies.compared import Compared, Space, compared
from scintilab.studies.guard import REFUSED, nearest, threshold
from scintilab.studies.origin import Origin
from scintilab.studies.planted import planted
from scintilab.studies.records import distance_attack, inauthentic, membership, nearest_ratio, rate
from scintilab.studies.registered import registered

RESAMPLES = 500


class Groups(NamedTuple):
    """Expected counts of coarse scans, [n, 2, 256, 64], one a patient."""

    training: Floats
    """Of those learnt from."""
    held_out: Floats
    """Of others of the same site, by whom thresholds are set."""
    fresh: Floats
    """Of others again: what synthetic scans would be if they remembered nobody."""
    synthetic: Floats


@dataclass(frozen=True)
class Membership:
    """How well somebody could tell who was learnt from: AUC, and the share found at 1 % false alarms."""

    auc: Estimate
    tpr: Estimate


@dataclass(frozen=True)
class Audit:
    """What was found in one space of features.

    Args:
        ratio: distance to the nearest training patient over that to the nearest of as many others, median; 1 is best.
        inauthentic: share of scans closer to a training scan than any other training scan is.
        membership: by who has the scans alone.
        threshold: below this distance to a training scan a scan is taken for a copy.
        refused: share of scans below it.
        planted: share of the planted copies below it.
        copies: how many were planted.
    """

    ratio: Compared
    inauthentic: Compared
    membership: Membership
    threshold: float
    refused: Compared
    planted: Estimate
    copies: int


@dataclass(frozen=True)
class Privacy:
    """What was measured, and of whom: `data` is said at every figure and table.

    Args:
        data: who "real" scans are of.
        training: how many patients were learnt from.
        held_out: how many others there are.
        synthetic: how many scans were audited.
        resamples: of each group.
        refused: share of other patients' scans for which the threshold is set.
        spaces: audits, by space of features.
        own: membership by what the generator itself says of its scans; None where it says nothing.
        origin: of generator and patients.
    """

    data: str
    training: int
    held_out: int
    synthetic: int
    resamples: int
    refused: float
    spaces: dict[str, Audit]
    own: Membership | None
    origin: Origin


def privacy(
    groups: Groups,
    spaces: Mapping[str, Space],
    origin: Origin,
    *,
    own: tuple[Truth, Scores] | None = None,
    resamples: int = RESAMPLES,
) -> Privacy:
    """Audit a generator.

    Args:
        groups: who is compared.
        spaces: in which features, by name.
        origin: of generator and patients.
        own: who was learnt from, and how surely the generator itself says so, such as by how well it rebuilds a scan.
        resamples: of each group.
    """
    return Privacy(
        data=SIMULATED,
        training=len(groups.training),
        held_out=len(groups.held_out),
        synthetic=len(groups.synthetic),
        resamples=resamples,
        refused=REFUSED,
        spaces={name: audit(groups, space, resamples=resamples) for name, space in spaces.items()},
        own=None if own is None else Membership(*membership(*own, resamples=resamples)),
        origin=origin,
    )


def spaces(stranger: Network) -> dict[str, Space]:
    """Return the spaces in which copies are looked for."""
    return {"registered pixels": registered, "classifier of another site": lambda canvas: features(stranger, canvas)}


def audit(groups: Groups, space: Space, *, resamples: int = RESAMPLES) -> Audit:
    """Look for copies in one space of features."""
    training, held_out, fresh, synthetic = map(space, groups)
    few, others = _as_many(training, held_out)
    limit = threshold(held_out, training)
    mixed, copies = planted(groups.synthetic, groups.training)
    found = nearest(space(mixed[copies]), training) < limit
    member = np.arange(2 * len(few)) < len(few)

    def both(measure: Callable[[Features], Resampled]) -> Compared:
        return compared(measure(synthetic), measure(fresh))

    return Audit(
        ratio=both(lambda scans: nearest_ratio(scans, few, others, resamples=resamples)),
        inauthentic=both(lambda scans: inauthentic(scans, training, resamples=resamples)),
        membership=Membership(*membership(member, distance_attack(few, others, synthetic), resamples=resamples)),
        threshold=limit,
        refused=both(lambda scans: rate(nearest(scans, training) < limit, resamples=resamples)),
        planted=rate(found, resamples=resamples).rate(len(found)),
        copies=len(found),
    )


def _as_many(training: Features, held_out: Features) -> tuple[Features, Features]:
    """Return as many of each, spread over all."""
    count = min(len(training), len(held_out))
    few, others = (part[np.linspace(0, len(part), count, endpoint=False).astype(int)] for part in (training, held_out))
    return few, others
