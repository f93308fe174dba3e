"""What the study of quality promises, and what is written of it."""

import numpy as np
import pytest

from scintilab.studies import pictures, tables
from scintilab.studies.compact import Network
from scintilab.studies.observer import Measured, random
from scintilab.studies.origin import origin
from scintilab.studies.quality import MEASURES, Groups, Quality, apart, quality, spaces
from scintilab.studies.twins import of_generator
from tests.unit.scintilab.studies.painter import Painter, painted

COUNT = 50
RNG = np.random.default_rng(11)


def groups(painter: Painter) -> Groups:
    """Return real scans, and those of a painter who was asked to show what they do."""
    real = painted(COUNT, 1)
    asked = real.labels
    synthetic, twins = (painted(COUNT, 3, painter, asked=labels) for labels in (asked, asked.healthy()))
    return Groups(
        reference=painted(COUNT, 2),
        real=real,
        synthetic=synthetic,
        twins=twins,
        judged=painted(COUNT, 4),
        pairs={"synthetic": of_generator(synthetic, twins), "phantom": of_generator(synthetic, twins)},
    )


@pytest.fixture(scope="module")
def compared() -> Groups:
    """A painter like the one who painted the real scans."""
    return groups(Painter())


@pytest.fixture(scope="module")
def found(compared: Groups) -> Quality:
    """Everything that is measured of it, by networks that have learnt nothing."""
    return quality(
        compared,
        spaces(random(2), random(1)),
        Network(len(Measured._fields)).eval(),
        {},
        origin(Painter(), 1),
        steps=6,
        resamples=30,
    )


def test_sets_of_one_kind_are_as_far_apart_as_real_ones() -> None:
    """The difference to the baseline at equal n includes nothing, and is above it for another kind."""
    reference, real, same = RNG.normal(size=(3, 120, 4))
    alike, other = (apart(reference, real, synthetic, 100) for synthetic in (same, same + 1))
    assert list(alike) == list(MEASURES)
    for name in ("Frechet distance", "kernel distance"):
        assert alike[name].apart.low < 0 < alike[name].apart.high
        assert other[name].apart.low > 0
    for name in ("precision", "coverage"):
        assert other[name].apart.high < 0


def test_everything_is_measured_beside_real_scans(found: Quality) -> None:
    """Each space has each measure, each look an AUC of real against real, and the document says of whom it is."""
    assert found.data == "simulated patients"
    assert found.scans == COUNT
    assert set(found.distances) == {"classifier of another site", "random network", "ratios of regions"}
    for measures in found.distances.values():
        assert list(measures) == list(MEASURES)
    for look in found.two_sample.values():
        for area in (look.synthetic, look.real):
            assert 0 <= area.low <= area.value <= area.high <= 1
    assert set(found.fidelity) == set(found.added) == {"synthetic", "phantom"}
    assert {one.question for one in found.shortcuts} == {"metastasis", "cardiac"}


def test_tables_and_pictures_name_their_data(found: Quality, compared: Groups) -> None:
    """Every caption names the patients, no table is called a reader study, and every row is as long as its header."""
    shown = tables.of_quality(found)
    for table in shown:
        assert table.caption.endswith("(simulated patients)")
        assert "reader" not in table.caption
        assert table.rows or "Served classifiers" in table.caption
        assert {len(row) for row in table.rows} <= {len(table.header)}
    drawn = pictures.of_quality(found, compared)
    assert [picture.name for picture in drawn] == ["sheet", "two-sample"]
    for picture in drawn:
        assert picture.png.startswith(b"\x89PNG")
        assert picture.caption.endswith("(simulated patients)")
