"""What the command that studies a generator promises."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scintiflow.errors import Refused
from scintilab.studies.__main__ import _own, app
from scintilab.studies.publication import marks

STUDIES = ("quality", "privacy", "augmentation")


@pytest.mark.parametrize("study", STUDIES)
def test_help_teaches(study: str) -> None:
    """Each study says what it asks, how long it takes, and where things are written."""
    shown = CliRunner().invoke(app, [study, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "?" in shown.output
    assert "--generator" in shown.output
    assert "--share" in shown.output


@pytest.mark.parametrize("study", STUDIES)
def test_what_is_missing_is_said_before_any_work(study: str, tmp_path: Path) -> None:
    """Without a card, or without a generator, one sentence says what to do, and nothing is simulated."""
    asked = [study, "--generator", str(tmp_path), "--work", str(tmp_path / "work")]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 1
    assert "write the card of the generator first" in shown.output
    place = next(marks(name) for name in ("quality", "privacy", "augmentation") if name == study)
    (tmp_path / "CARD.md").write_text("\n".join(place))
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 1
    assert "holds no generator" in shown.output
    assert not (tmp_path / "work").exists()


def test_own_scores_are_members_first(tmp_path: Path) -> None:
    """The generator's own scores are read with who was learnt from; a file without them is refused."""
    np.savez(tmp_path / "own.npz", members=np.array([3.0, 4.0]), others=np.array([1.0]))
    member, score = _own(tmp_path / "own.npz")
    assert member.tolist() == [True, True, False]
    assert score.tolist() == [3, 4, 1]
    np.savez(tmp_path / "empty.npz", else_=np.array([1.0]))
    with pytest.raises(Refused, match="no arrays `members`"):
        _own(tmp_path / "empty.npz")
