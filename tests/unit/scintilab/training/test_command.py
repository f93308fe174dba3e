"""What the commands of the workshops say to whoever runs them."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scintiflow.errors import Refused
from scintilab.archive import Archive, Study
from scintilab.archive.simulated import Kept
from scintilab.cardiac.__main__ import app as cardiac
from scintilab.evaluate import specificity, threshold_at_specificity
from scintilab.metastasis.__main__ import app as metastasis
from scintilab.training.command import both_answers, strict
from scintilab.training.material import Archived
from tests.unit.scintilab.cohorts import a_cohort


@pytest.mark.parametrize("app", [metastasis, cardiac], ids=["metastasis", "cardiac"])
def test_export_asks_for_a_training(app: object, tmp_path: Path) -> None:
    """Without weights it ends with a sentence that says what to do first, and writes nothing."""
    told = CliRunner().invoke(app, ["export", "--work", str(tmp_path), "--out", str(tmp_path / "out")])
    assert told.exit_code == 1
    assert "weights.pt is not there: train first." in told.output
    assert not (tmp_path / "out").exists()


def test_nothing_is_learnt_where_nobody_is_sick() -> None:
    """Patients of whom none is sick are refused, with the numbers."""
    study = Study("1", "1", Kept(a_cohort(1).canvas[0]), truth={"cardiac": False})
    with pytest.raises(Refused, match=r"learnt from, 0 of 2 are sick: use more patients"):
        both_answers("learnt from", Archived(Archive((study, study)).studies, "cardiac"))


def test_threshold_is_never_rounded_down() -> None:
    """Four digits of a threshold leave as many healthy scans negative as all of its digits."""
    rng = np.random.default_rng(0)
    truth, score = np.arange(400) < 50, rng.random(400)
    exact = threshold_at_specificity(truth, score, 0.98)
    assert specificity(truth, score >= strict(exact)) >= 0.98
    assert strict(exact) == pytest.approx(exact, abs=1e-4)
    assert strict(1.1) < 1
