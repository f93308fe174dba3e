"""What keeping synthetic scans promises."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintilab.studies.made import made
from scintilab.studies.samples import AT_ONCE, Labels
from tests.unit.scintilab.studies.painter import Painter, labels

COUNT = AT_ONCE + 8


@dataclass
class Interrupted:
    """A painter that is killed after so many calls, and remembers what it was asked."""

    calls: int
    asked: list[int] = field(default_factory=list)
    name: str = "painter"
    digest: str = "one"

    def samples(self, seed: int, first: int, conditions: Labels) -> NDArray[np.float32]:
        if len(self.asked) == self.calls:
            raise KeyboardInterrupt
        self.asked.append(first)
        return Painter().samples(seed, first, conditions)


def test_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """What was made is not made again, and the scans are those of a run that was never cut off."""
    asked, cut, rest = labels(COUNT), Interrupted(1), Interrupted(9)
    with pytest.raises(KeyboardInterrupt):
        made(cut, 3, asked, tmp_path, "cut")
    samples = made(rest, 3, asked, tmp_path, "again")
    assert (cut.asked, rest.asked) == ([0], [AT_ONCE])
    whole = made(Interrupted(9), 3, asked, tmp_path / "elsewhere", "whole")
    assert np.array_equal(samples.canvas, whole.canvas)
    assert made(Interrupted(0), 3, asked, tmp_path, "kept").canvas.shape == (COUNT, 2, 512, 256)


def test_other_conditions_are_other_scans(tmp_path: Path) -> None:
    """Another seed, generator or label never finds the scans of this one."""
    asked = labels(4)
    one = made(Painter(), 3, asked, tmp_path, "one")
    for other in (
        made(Painter(), 4, asked, tmp_path, "seed"),
        made(Painter(blind=True), 3, asked, tmp_path, "generator"),
        made(Painter(), 3, asked.healthy(), tmp_path, "labels"),
    ):
        assert not np.array_equal(one.canvas, other.canvas)


def test_scale_is_that_of_the_asked_counts(tmp_path: Path) -> None:
    """However bright the generator paints, a view expects the asked counts on average."""
    samples = made(Painter(), 3, labels(4), tmp_path, "one")
    assert np.asarray(samples.canvas, float).sum((1, 2, 3)) == pytest.approx(samples.labels.counts, rel=1e-2)


def test_what_is_no_scan_is_refused(tmp_path: Path) -> None:
    """A rate below nothing, or nothing at all, is no scan."""

    class Broken(Painter):
        def samples(self, seed: int, first: int, conditions: Labels) -> NDArray[np.float32]:
            return 0 * super().samples(seed, first, conditions)

    with pytest.raises(Refused, match="no scans"):
        made(Broken(), 3, labels(2), tmp_path, "broken")
