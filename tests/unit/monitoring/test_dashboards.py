"""Dashboards are made from code, and a person can read them."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from k8s.monitoring.__main__ import WRITTEN
from k8s.monitoring.figure import figure
from k8s.monitoring.panel import Unit

FILES = [path for path in WRITTEN if path.suffix == ".json"]

dashboards = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def panels(path: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard, without the headings of rows."""
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_what_is_shipped_is_what_the_code_makes(path: Path) -> None:
    """Nobody edits what `make monitoring` writes."""
    assert path.read_text() == WRITTEN[path](), "run `make monitoring`"


@dashboards
def test_grafana_reads_it(path: Path) -> None:
    """It is classic JSON: Grafana's own model of it reads every panel back."""
    shipped = json.loads(path.read_text())
    read = Dashboard.from_json(shipped)
    assert (read.uid, read.title) == (shipped["uid"], shipped["title"])
    assert len(read.panels or ()) == len(shipped["panels"])


@dashboards
def test_every_panel_says_what_it_shows(path: Path) -> None:
    """Each has a title of its own in its row, a sentence, a unit, queries, and a name for every answer."""
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        assert all(target["legendFormat"] for target in panel["targets"])


@dashboards
def test_panels_do_not_overlap(path: Path) -> None:
    """Each lies within the 24 columns and on no other one, and their numbers differ."""
    everything = json.loads(path.read_text())["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    for panel in everything:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in itertools.combinations([panel["gridPos"] for panel in everything], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0123, "s", "12.3 ms"),
        (90, "s", "1.5 min"),
        (0.991, "percentunit", "99.1 %"),
        (3 * 2**30, "bytes", "3 GiB"),
        (2_500_000, "Bps", "2.5 MB/s"),
        (250.5, "watt", "250 W"),
        (0, "s", "0"),
        (float("nan"), "s", "no value"),
    ],
)
def test_a_figure_is_readable(value: float, unit: Unit, said: str) -> None:
    """Pictures show values as Grafana would: scaled, in three digits, with their unit."""
    assert figure(value, unit) == said
