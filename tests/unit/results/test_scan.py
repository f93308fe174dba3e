"""The scan that all results of a study are made of."""

from dataclasses import replace

import numpy as np
import pytest

from scintiflow.results import greys
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
    one, other = draw(first), draw(second)
    unmarked = slice(62, 830), slice(20, 420)
    assert (one[unmarked] == other[unmarked]).all()
    assert (one != other).any()


@pytest.mark.parametrize("pixels", [0, 1, 2, 3, 68, 1000, 294_246])
def test_the_window_of_the_greys_leaves_the_highest_pixels_out(pixels: int) -> None:
    """Its top is the percentile 98.5 of what holds counts, to the last bit."""
    counted = np.random.default_rng(pixels).gamma(1, 3, pixels).astype(np.float32)
    expected = float(np.percentile(counted, 98.5)) if pixels else 1.0
    assert greys._top_of(counted) == expected
