"""The scan that all results of a study are made of."""

from dataclasses import replace

import numpy as np

from scintiflow.results.drawing import draw
from tests.unit.results.readings import finding, reading, scan


def test_it_says_again_only_what_is_legal() -> None:
    """A private element of the scan's header, and a value that DICOM forbids, are in no result."""
    header = scan(BodyPartExamined="no code string at all")
    header.private_block(0x0029, "SOMEBODY", create=True).add_new(1, "LO", "private")
    (source,) = reading(header).scan.sources
    assert "BodyPartExamined" not in source
    assert not any(element.tag.is_private for element in source)
    assert source.PatientID == header.PatientID


def test_readings_of_one_scan_are_drawn_alike() -> None:
    """What two models say of one scan is drawn beside the same picture of it."""
    first = reading()
    second = replace(first, finding=finding(first.finding.views, probability=0.02))
    one, other = np.asarray(draw(first)), np.asarray(draw(second))
    unmarked = slice(62, 830), slice(20, 420)
    assert (one[unmarked] == other[unmarked]).all()
    assert (one != other).any()
