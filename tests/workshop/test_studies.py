"""The studies of a generator, from its folder to its card, on a handful of simulated patients."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scintilab.studies.__main__ import app
from tests.unit.scintilab.studies.served import serve

ROOT = Path(__file__).parents[2]
SMALL = ("--share", "0.02")
LENGTHS = {
    "quality": ("--count", "20", "--steps", "8", "--looks", "8", "--resamples", "20"),
    "privacy": ("--count", "20", "--steps", "8", "--resamples", "20"),
    "augmentation": ("--size", "6", "--seeds", "2", "--multiple", "1", "--steps", "6", "--resamples", "20"),
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where patients are, for all studies."""
    return tmp_path_factory.mktemp("work")


@pytest.mark.slow
@pytest.mark.parametrize("study", LENGTHS)
def test_study_ends_in_card_numbers_and_page(study: str, work: Path, tmp_path: Path) -> None:
    """Each command runs from patients to its tables, and a second run finds everything kept and says the same."""
    folder = serve(tmp_path)
    asked = [study, "--generator", str(folder), "--work", str(work), "--out", str(tmp_path / "pages"), *SMALL]
    asked += LENGTHS[study]
    if study == "quality":
        asked += ["--model", str(ROOT / "models" / "metastasis")]
    said = []
    for _ in range(2):
        shown = CliRunner().invoke(app, asked, catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        said.append(json.loads((folder / f"{study}.json").read_text()))
    assert said[0] == said[1]
    assert said[0]["data"] == "simulated patients"
    assert said[0]["origin"]["generator"] == "generator 0.1.0"
    assert "(simulated patients)" in (folder / "CARD.md").read_text()
    page = (tmp_path / "pages" / f"{study}.html").read_text()
    assert "AI result, not for diagnostic use, research only." in page
    assert "data:image/png;base64," in page
