"""What a table of scans must be before anything is measured of it."""

from dataclasses import replace

import numpy as np
import pytest

from scintilab.evaluate.scans import Scans

TABLE = Scans(
    patient=np.array(["p2", "p1", "p1", "p3"]),
    site=np.array(["B", "A", "A", "A"]),
    visit=np.array([0, 7, 3, 0]),
    truth=np.array([True, True, False, False]),
    probability=np.array([0.9, 0.8, 0.3, 0.1]),
    strata={"BMI": np.array([20, 30, 30, 40])},
)


def test_first_scan_is_the_earliest_visit_wherever_its_row_is() -> None:
    """Each patient has one first scan: the smallest visit, not the upper row."""
    assert TABLE.first().tolist() == [True, False, True, True]


def test_part_keeps_all_columns_together() -> None:
    """Rows of a site carry their strata."""
    part = TABLE.part(TABLE.site == "A")
    assert (part.sites(), part.patient.tolist(), part.strata["BMI"].tolist()) == (
        ["A"],
        ["p1", "p1", "p3"],
        [30, 30, 40],
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"site": np.array(["B", "A", "B", "A"])}, "Patient p1 is at sites"),
        ({"visit": np.array([0, 3, 3, 0])}, "Patient p1 has two scans of visit 3"),
        ({"probability": np.array([0.9, np.nan, 0.3, 0.1])}, "A probability is missing"),
        ({"probability": np.array([0.9, 1.2, 0.3, 0.1])}, "not between 0 and 1"),
        ({"truth": np.array([1, 1, 0, 0])}, "must be true or false"),
        ({"strata": {"BMI": np.array([20, 30])}}, "Column BMI has 2 rows and truth 4"),
    ],
)
def test_table_that_contradicts_itself_stops_with_a_sentence(wrong: dict[str, object], sentence: str) -> None:
    """What would quietly spoil every number is refused, and says what is wrong."""
    with pytest.raises(ValueError, match=sentence):
        replace(TABLE, **wrong)
