"""What scans with labels promise."""

from dataclasses import replace

import numpy as np
import pytest

from scintilab.studies.coarse import coarse
from scintilab.studies.samples import first_scans, of_cohort
from tests.unit.scintilab.evaluate import patients
from tests.unit.scintilab.studies.painter import labels, painted


def test_noise_belongs_to_the_scan() -> None:
    """A scan has the same counts alone and among others, in any order; another seed counts otherwise."""
    samples = painted(6)
    everything = np.concatenate(list(samples.batches()))
    assert np.array_equal(samples.part(np.array([4, 1])).read(slice(None)), everything[[4, 1]])
    assert not np.array_equal(replace(samples, noise=9).read(np.array([1]))[0], everything[1])


def test_counts_are_photons_of_the_asked_number() -> None:
    """A canvas pixel is the mean of two whole counts, and both views hold twice the asked mean of a view."""
    samples = painted(4)
    counted = samples.read(slice(None))
    assert np.array_equal(2 * counted, np.rint(2 * counted))
    assert 2 * counted.sum((1, 2, 3)) == pytest.approx(2 * samples.labels.counts, rel=0.01)
    assert counted.var() > samples.expected().read(slice(None)).var()


def test_coarse_pixels_are_means() -> None:
    """Nothing is lost or won: the mean of every view stays."""
    samples = painted(3)
    assert coarse(samples).mean((2, 3)) == pytest.approx(samples.read(slice(None)).mean((2, 3)), rel=1e-5)


def test_cohort_keeps_labels_and_patients() -> None:
    """What the phantom knows is what a generator is asked, and two scans of one patient stay of one."""
    cohort = patients.cohort("B", 12)
    samples = of_cohort(cohort)
    assert np.array_equal(samples.labels.load, cohort.truth.bsi)
    assert np.array_equal(samples.labels.truth("cardiac"), cohort.cardiac)
    assert len(set(samples.patient)) == 12 < len(samples)
    assert len(set(samples.part(first_scans(cohort)).patient)) == len(first_scans(cohort)) == 12


def test_twin_is_healthy_and_else_the_same() -> None:
    """Asked to be healthy, a scan keeps tracer, sex and counts, and loses all disease."""
    asked = labels(20)
    healthy = asked.healthy()
    assert not healthy.metastatic.any()
    assert not healthy.load.any()
    assert not healthy.perugini.any()
    assert np.array_equal(healthy.sex, asked.sex)
    assert np.array_equal(healthy.counts, asked.counts)
