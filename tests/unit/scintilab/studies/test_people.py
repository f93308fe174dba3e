"""What giving patients their roles promises."""

from itertools import combinations

import pytest

from scintiflow.errors import Refused
from scintilab.parts import PARTS
from scintilab.studies.people import OTHERS, require_disjoint
from tests.unit.scintilab.evaluate import patients


def test_nobody_has_two_roles() -> None:
    """All parts of the phantom's population, and the roles of the studies, are pairwise of other patients."""
    for (one, some), (other, rest) in combinations({**PARTS, **OTHERS}.items(), 2):
        assert some[0] != rest[0] or not set(some[1]) & set(rest[1]), (one, other)


def test_shared_patient_is_an_error() -> None:
    """One patient in two groups is refused, with both groups and the patient; the same number elsewhere is not."""
    cohort = patients.cohort("A", 10)
    number = int(cohort.truth.patient[-1])
    with pytest.raises(Refused, match=f"1 patients are in both train and test, such as number {number}"):
        require_disjoint({"train": cohort, "test": cohort.part(cohort.truth.patient == number)})
    require_disjoint({"train": cohort, "elsewhere": patients.cohort("B", 10)})
