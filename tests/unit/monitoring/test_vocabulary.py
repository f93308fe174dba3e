"""Metrics are one vocabulary, and the page that explains it is what the code says."""

import re
from pathlib import Path
from typing import get_args

import pytest

from k8s.monitoring.vocabulary import LABELS, PROCESSES, Family, everything, families, gpu_families, page
from scintiflow.inference.manifest import Precision

OURS = [family for process in PROCESSES for family in families(process)] + gpu_families()
UNITS = ("seconds", "bytes", "rows")
ODD_UNITS = re.compile(r"_(ms|milli\w*|micro\w*|minutes|hours|days|kb|mb|gb|kib|mib|gib|percent\w*)(_|$)")


def test_the_page_is_what_the_code_says() -> None:
    """METRICS.md is what `make monitoring` writes."""
    assert Path("k8s/monitoring/METRICS.md").read_text() == page(), "run `make monitoring`"


@pytest.mark.parametrize("family", OURS, ids=lambda family: family.name)
def test_every_name_keeps_the_rules(family: Family) -> None:
    """Counters end in _total and nothing else does, histograms end in their unit, and units are base units."""
    assert re.fullmatch(r"scintiflow_[a-z]+(_[a-z]+)+", family.name)
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert family.kind != "histogram" or family.name.endswith(UNITS)
    assert not ODD_UNITS.search(family.name)
    assert family.help.endswith((".", ")"))


@pytest.mark.parametrize("process", PROCESSES)
def test_the_prefix_is_the_process(process: str) -> None:
    """Whoever sees a name knows who exports it."""
    assert all(family.name.startswith(f"scintiflow_{process}_") for family in families(process))


def test_no_name_is_taken_twice() -> None:
    """Two processes never export different things under one name."""
    names = [family.name for family in everything()]
    assert len(names) == len(set(names))


def test_every_label_is_bounded() -> None:
    """Each label is in the table that says what it may hold, and the table holds no other."""
    assert {label for family in OURS for label in family.labels} == set(LABELS)


def test_every_precision_can_be_told() -> None:
    """The label takes whatever an operator may choose, but for the word that leaves the choice to the engine."""
    assert {each for each in get_args(Precision) if not LABELS["precision"].allows(each)} == {"auto"}


@pytest.mark.parametrize("identity", ["1.2.826.0.1.3680043.8.498.1", "Doe^Jane", "DOE JANE", "PAT-1234567"])
def test_no_label_takes_an_identity(identity: str) -> None:
    """A UID, a name and an identifier fit no label but those that hold what an engine or NVIDIA calls itself."""
    assert {name for name, label in LABELS.items() if label.allows(identity)} <= {"device", "product"}
