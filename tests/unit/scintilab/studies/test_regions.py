"""What ratios of regions promise."""

import numpy as np
import pytest

from scintilab.studies.coarse import coarse
from scintilab.studies.regions import regions, table
from tests.unit.scintilab.studies.painter import labels, painted

LABELS = labels(40, 2)._replace(load=np.zeros(40), metastatic=np.zeros(40, np.bool_))
SCANS = coarse(painted(40, 2, asked=LABELS))


def test_heart_is_on_the_left() -> None:
    """The heart's ratio goes up with the grade in the anterior view, and does not in the posterior one."""
    found = regions(SCANS)
    anterior, posterior = (found[f"heart to contralateral, {view}"] for view in ("anterior", "posterior"))
    assert np.corrcoef(anterior, LABELS.perugini)[0, 1] > 0.9
    assert abs(np.corrcoef(posterior, LABELS.perugini)[0, 1]) < 0.5


def test_ratios_do_not_depend_on_counts_or_place() -> None:
    """A scan of four times the counts, or of a patient further down, has the same ratios."""
    expected = painted(6, 3).expected()
    scans = coarse(expected)
    for other in (4 * scans, np.roll(scans, 3, axis=2)):
        for name, column in regions(other).items():
            if not name.startswith("noise"):
                assert column == pytest.approx(regions(scans)[name], abs=0.02), name


def test_noise_is_seen() -> None:
    """Scans of a hundredth of the counts, brought to the same mean, are noisier."""
    few, many = (coarse(painted(8, 4, asked=labels(8, 4, counts=counts).healthy())) for counts in (4e4, 4e6))
    few, many = (scans / scans.mean((1, 2, 3), keepdims=True) for scans in (few, many))
    assert (regions(few)["noise, anterior"] > regions(many)["noise, anterior"] + 1).all()


def test_every_scan_has_some_thirty_numbers() -> None:
    """All columns are numbers, for every scan."""
    found = table(SCANS)
    assert found.shape == (40, len(regions(SCANS)))
    assert 30 <= found.shape[1] <= 45
    assert np.isfinite(found).all()
