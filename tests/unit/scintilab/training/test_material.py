"""What is learnt from: simulated cohorts and archives through one interface."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scintilab.training.material import UNKNOWN, Simulated, archived
from tests.builders import body_counts
from tests.unit.scintilab.cohorts import a_cohort


def test_simulated_patients_know_everything() -> None:
    """Answers, grades, canvases and foci of the rows that were asked for, in that order."""
    cohort = a_cohort()
    material, rows = Simulated(cohort, "metastasis"), np.array([3, 0])
    scans = material.read(rows, places=True)
    assert material.truth.tolist() == [False, True] * 4
    assert Simulated(cohort, "cardiac").grade.tolist() == [0, 2] * 4
    np.testing.assert_array_equal(scans.canvas, cohort.canvas[rows])
    assert scans.places is not None
    assert scans.places.sum(axis=(2, 3)).tolist() == [[100, 100, 0, 0], [0, 0, 0, 0]]
    assert material.read(rows).places is None


def test_hearts_are_where_they_are_said_to_be() -> None:
    """Asked about hearts, places are discs of 42 mm about them, mirrored in the posterior view."""
    hearts = Simulated(a_cohort(), "cardiac").read(np.array([0]), places=True).places
    assert hearts is not None
    anterior, posterior = hearts[0]
    row, col = np.argwhere(anterior).mean(axis=0) + 0.5
    assert (row, col) == pytest.approx((180, 145), abs=0.5)
    assert anterior.sum() * 4.8 * 2.4 == pytest.approx(np.pi * 42**2, rel=0.02)
    np.testing.assert_array_equal(posterior, anterior[:, ::-1])


def test_archive_is_learnt_from_too(tmp_path: Path) -> None:
    """An archive gives who learns and who validates, one view if there is one, and no foci."""
    lines = []
    for number in range(6):
        views = {view: f"{number}-{view}.png" for view in ("anterior", "posterior")}
        for file, counts in zip(views.values(), body_counts(2, 256, 64, seed=number), strict=True):
            Image.fromarray(counts).save(tmp_path / file)
        part = ("train", "train", "train", "validate", "validate", "test")[number]
        lines.append({"patient": str(number), **views, "perugini": "03-01-2"[number], "split": part})
    (tmp_path / "1-posterior.png").unlink()
    lines[1]["posterior"] = ""
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(lines[0]))
        table.writeheader()
        table.writerows(lines)
    train, validate = archived(tmp_path / "labels.csv", "cardiac")
    assert train.truth.tolist() == [False, True]
    assert train.grade.tolist() == [0, 3]
    assert validate.grade.tolist() == [0, 1]
    scans = train.read(np.array([1]), places=True)
    assert scans.present.tolist() == [[1, 0]]
    assert scans.canvas.shape == (1, 2, 512, 256)
    assert scans.places is None
    assert UNKNOWN not in train.grade
    assert np.isnan(train.heart_ratio).all()
