"""What the audit for copies promises."""

import numpy as np
import pytest

from scintilab.phantom.priors import digest
from scintilab.studies.coarse import coarse
from scintilab.studies.origin import Origin, origin
from scintilab.studies.planted import planted
from scintilab.studies.privacy import Audit, Groups, audit, privacy
from scintilab.studies.registered import registered
from tests.unit.scintilab.studies.painter import Painter, painted

RESAMPLES = 100
PEOPLE = {
    name: coarse(painted(count, seed).expected())
    for seed, (name, count) in enumerate(
        {"training": 120, "held_out": 100, "fresh": 60, "synthetic": 60}.items(), start=20
    )
}
HONEST = Groups(**PEOPLE)


@pytest.fixture(scope="module")
def honest() -> Audit:
    """Of a painter that remembers nobody."""
    return audit(HONEST, registered, resamples=RESAMPLES)


def test_painter_that_remembers_nobody_is_acquitted(honest: Audit) -> None:
    """It is as near to training patients as to others, and no more often taken for a copier than strangers are."""
    assert honest.ratio.synthetic.low < 1 < honest.ratio.synthetic.high
    assert honest.ratio.apart.low < 0 < honest.ratio.apart.high
    assert honest.inauthentic.apart.low <= 0
    assert honest.membership.auc.low < 0.5
    assert honest.refused.synthetic.value < 0.1


def test_planted_copies_are_found(honest: Audit) -> None:
    """One scan in a hundred, one at least, replaced by a moved and noisy training scan, is found each time."""
    assert honest.copies == 1
    assert honest.planted.value == 1


def test_copier_is_convicted() -> None:
    """A generator that gives out training scans, moved and noisy, is nearer to them than to others."""
    copies = planted(PEOPLE["synthetic"], PEOPLE["training"], share=1.0, seed=1)
    assert copies.copies.all()
    found = audit(HONEST._replace(synthetic=copies.canvas), registered, resamples=RESAMPLES)
    assert found.ratio.synthetic.value < 0.4
    assert found.ratio.synthetic.high < 1
    assert found.ratio.apart.high < 0
    assert found.inauthentic.apart.low > 0.3
    assert found.membership.auc.low > 0.5
    assert found.membership.tpr.low > 0.1
    assert found.refused.synthetic.value > 0.95


def test_every_planted_share_is_found_and_nobody_else() -> None:
    """Among planted scans those refused are the copies, but for the few that are allowed to be refused."""
    mixed = planted(PEOPLE["synthetic"], PEOPLE["training"], share=0.2, seed=2)
    found = audit(HONEST._replace(synthetic=mixed.canvas), registered, resamples=RESAMPLES)
    assert mixed.copies.sum() == 12
    assert found.refused.synthetic.value == pytest.approx(0.2, abs=0.05)


def test_audit_names_its_data_and_its_generator(honest: Audit) -> None:
    """The document says of whom it is, which generator and priors, and how the generator's own score tells members."""
    member = np.arange(40) < 20
    found = privacy(HONEST, {"pixels": registered}, _origin(), own=(member, member + np.zeros(40)), resamples=20)
    assert found.data == "simulated patients"
    assert found.origin.priors.sha256 == digest()
    assert found.origin.digest == Painter().digest
    assert found.own is not None
    assert found.own.auc.value == 1
    assert found.spaces["pixels"].ratio.synthetic.value == pytest.approx(honest.ratio.synthetic.value)


def _origin() -> Origin:
    return origin(Painter(), 1)
