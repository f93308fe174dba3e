"""What judging a model on a hospital's archive promises."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from scintiflow.inference.manifest import load
from scintilab.archive.survey import survey
from scintilab.archive.table import open_archive
from scintilab.evaluate.__main__ import app
from scintilab.evaluate.answers import Reader, open_reader
from scintilab.evaluate.hospital import judge
from tests.builders import body_counts
from tests.graphs import beside_graph, model_folder

PATIENTS = 24


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of 16-bit PNG from two sites, sick ones brighter; two scans of the first patient, one without a view."""
    folder = tmp_path_factory.mktemp("archive")
    lines = []
    for number in range(PATIENTS):
        sick = number % 3 == 0
        line = {"patient": f"P{number}", "metastasis": str(int(sick)), "site": "AB"[number % 2], "tracer": "DPD"}
        views = body_counts(2, 256, 64, seed=number) * (3 if sick else 1)
        for view, counts in zip(("anterior", "posterior"), views, strict=True):
            line[view] = f"{number}-{view}.png"
            Image.fromarray(counts.astype(np.uint16)).save(folder / line[view])
        lines.append(line)
    lines[2]["patient"] = "P0"
    (folder / lines[-1]["posterior"]).unlink()
    lines[-1]["posterior"] = ""
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A model that calls bright scans positive, and requires both views."""
    folder = model_folder(tmp_path_factory.mktemp("models"), "metastasis", graph=beside_graph())
    manifest = (folder / "manifest.toml").read_text().replace("requires = []", 'requires = ["anterior", "posterior"]')
    (folder / "manifest.toml").write_text(manifest)
    (folder / "CARD.md").write_text("# a card\n")
    return open_reader(load(folder), tmp_path_factory.mktemp("answers"))


def test_archive_is_judged_under_its_own_name(reader: Reader, table: Path) -> None:
    """Its sites are judged one by one, and none counts as the one that the model was made on."""
    found, drawn = judge("metastasis", reader, survey(open_archive(table)), resamples=50)
    assert found.data == "the archive"
    assert list(found.sites) == found.mean.sites == ["A", "B"]
    assert found.provenance is not None
    assert found.provenance.priors is None
    assert found.baselines.keys() == {"hot spots"}
    assert (found.survival, found.pointing_game) == (None, {})
    assert len(drawn.scans) == PATIENTS - 1


def test_scan_without_a_required_view_is_left(reader: Reader, table: Path) -> None:
    """A scan that the runtime would not assess counts neither for the model nor against it."""
    _, drawn = judge("metastasis", reader, survey(open_archive(table)), resamples=20)
    assert f"p{PATIENTS - 1}" not in drawn.scans.patient


def test_command_writes_beside_and_leaves_the_model_alone(reader: Reader, table: Path, tmp_path: Path) -> None:
    """Page and evaluation of an archive land in a folder of their own, and the model's folder stays as it is."""
    folder, before = reader.manifest.folder, sorted(reader.manifest.folder.iterdir())
    options = ["--model", str(folder), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    ran = CliRunner().invoke(app, ["metastasis", "--archive", str(table), "--resamples", "20", *options])
    assert ran.exit_code == 0, ran.output
    assert "the archive" in ran.output
    assert "simulated" not in (tmp_path / "out" / "metastasis-archive.html").read_text().replace("A (simulated)", "")
    assert json.loads((tmp_path / "out" / "metastasis-archive.json").read_text())["sites"].keys() == {"A", "B"}
    assert sorted(folder.iterdir()) == before
    assert (folder / "CARD.md").read_text() == "# a card\n"


def test_question_that_nobody_answered_is_refused(reader: Reader, table: Path, tmp_path: Path) -> None:
    """An archive without labels for the question stops with a sentence that says what to do."""
    options = ["--model", str(reader.manifest.folder), "--work", str(tmp_path), "--out", str(tmp_path)]
    ran = CliRunner().invoke(app, ["cardiac", "--archive", str(table), *options])
    assert ran.exit_code == 1
    assert "add the column" in ran.output


def test_help_says_what_is_written() -> None:
    """The help names what is judged, what is written where, and how to judge scans of one's own."""
    told = " ".join(CliRunner().invoke(app, ["--help"], terminal_width=120).output.split())
    for words in ("evaluation.json", "CARD.md", "--archive", "study.toml", "metastasis|cardiac"):
        assert words in told
