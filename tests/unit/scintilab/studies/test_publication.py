"""What writing a study down promises."""

import json
from pathlib import Path
from typing import Any

import pytest

from scintiflow.errors import Refused
from scintilab.evaluate.bootstrap import Estimate
from scintilab.studies import pictures, tables
from scintilab.studies.augmentation import Augmentation
from scintilab.studies.cell import ARMS
from scintilab.studies.compared import Compared
from scintilab.studies.gain import MEAN, Gain
from scintilab.studies.origin import origin
from scintilab.studies.privacy import Audit, Membership, Privacy
from scintilab.studies.publication import marks, publish, require_place
from tests.unit.scintilab.studies.painter import Painter

HALF = Estimate(0.5, 0.4, 0.6)
THREE = Compared(HALF, HALF, Estimate(0.0, -0.1, 0.1))
ORIGIN = origin(Painter(), 1)
PRIVACY = Privacy(
    data="simulated patients",
    training=100,
    held_out=50,
    synthetic=40,
    resamples=20,
    refused=0.01,
    spaces={"pixels": Audit(THREE, THREE, Membership(HALF, HALF), 1.5, THREE, Estimate(1.0, 0.7, 1.0), 4)},
    own=None,
    origin=ORIGIN,
)
GAIN = Gain(HALF, HALF, Estimate(float("nan"), float("nan"), float("nan")), 0.0004)
AUGMENTATION = Augmentation(
    data="simulated patients",
    sizes=[25],
    seeds=5,
    multiple=4,
    steps=300,
    resamples=2000,
    patients={"generator": 10},
    gains={"cardiac": {"25": {arm: {"A": GAIN, "B": GAIN, MEAN: GAIN} for arm in ARMS}}},
    published={"cardiac": "+5 (4) %"},
    origin=ORIGIN,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A generator's folder with a card that has a place for two studies."""
    places = "\n\n".join(f"{marks(study).begin}\n{marks(study).end}" for study in ("privacy", "augmentation"))
    (tmp_path / "CARD.md").write_text(f"# painter\n\nProse.\n\n{places}\n\nMore prose.\n")
    return tmp_path


def test_each_study_has_a_place_of_its_own(folder: Path) -> None:
    """Numbers, tables and page of one study leave those of another, and the prose, as they are."""
    publish("privacy", PRIVACY, tables.of_privacy(PRIVACY), pictures.of_privacy(PRIVACY), folder, folder / "out")
    once = (folder / "CARD.md").read_text()
    shown = tables.of_augmentation(AUGMENTATION)
    publish("augmentation", AUGMENTATION, shown, pictures.of_augmentation(AUGMENTATION), folder, folder / "out")
    card = (folder / "CARD.md").read_text()
    assert card.startswith("# painter\n\nProse.")
    assert card.endswith("More prose.\n")
    assert "planted copies" in once
    assert "planted copies" in card
    assert "+5 (4) %" in card
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["augmentation.html", "privacy.html"]


def test_everything_says_what_it_is_not_for_and_of_whom_it_is(folder: Path) -> None:
    """Document and page carry the notice; every caption names simulated patients; what has no number is null."""
    shown = tables.of_augmentation(AUGMENTATION)
    publish("augmentation", AUGMENTATION, shown, pictures.of_augmentation(AUGMENTATION), folder, folder / "out")
    document: dict[str, Any] = json.loads((folder / "augmentation.json").read_text())
    page = (folder / "out" / "augmentation.html").read_text()
    assert document["notice"] == "AI result, not for diagnostic use, research only."
    assert document["data"] == "simulated patients"
    assert document["origin"]["digest"] == Painter().digest
    assert document["gains"]["cardiac"]["25"]["synthetic"]["B"]["percent"]["value"] is None
    assert "AI result, not for diagnostic use, research only." in page
    assert all(table.caption.endswith("(simulated patients)") for table in shown)
    assert "&lt; 0.001" in page


def test_card_without_a_place_is_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    """The sentence names the lines to write, or the card that is missing."""
    require_place(folder, "privacy")
    with pytest.raises(Refused, match="<!-- quality: written by `make studies` -->"):
        require_place(folder, "quality")
    with pytest.raises(Refused, match=r"CARD\.md cannot be read"):
        require_place(tmp_path / "elsewhere", "quality")
