"""What scans without noise promise."""

from pathlib import Path

import numpy as np
import pytest

from scintilab.phantom.cohort import cohort
from scintilab.studies.coarse import coarse
from scintilab.studies.noise_free import noise_free
from scintilab.studies.samples import of_cohort


@pytest.mark.slow
def test_it_is_what_the_counts_scatter_about(tmp_path: Path) -> None:
    """Counts of a patient scatter about what is expected as Poisson counts do, and it is computed once."""
    patients = cohort("A", 1, range(3), tmp_path)
    rows = np.arange(len(patients))
    expected = noise_free(patients, rows, tmp_path / "kept")
    counted = coarse(of_cohort(patients))
    inside = expected > 1
    chi = (16 * (counted - expected) ** 2)[inside] / expected[inside]
    assert chi.mean() == pytest.approx(1, abs=0.05)
    files = sorted((tmp_path / "kept").rglob("*.npy"))
    stamps = [file.stat().st_mtime_ns for file in files]
    assert np.array_equal(noise_free(patients, rows, tmp_path / "kept"), expected)
    assert [file.stat().st_mtime_ns for file in files] == stamps
