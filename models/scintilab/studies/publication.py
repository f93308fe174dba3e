"""Where a study is written: numbers and tables into the generator's folder, a page with pictures beside it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from scintiflow.errors import Refused
from scintilab.evaluate.card import Marks, revised
from scintilab.evaluate.evaluation import plain
from scintilab.evaluate.figures import Picture
from scintilab.evaluate.report import WARNING, page
from scintilab.evaluate.tables import Table
from scintilab.studies.augmentation import Augmentation
from scintilab.studies.privacy import Privacy
from scintilab.studies.quality import Quality

Study = Literal["quality", "privacy", "augmentation"]


def marks(study: Study) -> Marks:
    """Return the lines of CARD.md between which the tables of a study stand."""
    return Marks(f"<!-- {study}: written by `make studies` -->", f"<!-- end of {study} -->")


def require_place(folder: Path, study: Study) -> None:
    """Look before hours of work whether the tables have a place.

    Raises:
        Refused: CARD.md is not there, or has no marks for them.
    """
    revised(_card(folder), "", marks(study))


def publish(
    study: Study,
    found: Quality | Privacy | Augmentation,
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    folder: Path,
    out: Path,
) -> None:
    """Write STUDY.json and the tables of CARD.md into the generator's folder, and the page into `out`."""
    document = {"notice": WARNING, **{name: plain(value) for name, value in asdict(found).items()}}
    numbers = json.dumps(document, indent=2, allow_nan=False) + "\n"
    (folder / f"{study}.json").write_text(numbers, encoding="utf-8")
    shown = "\n\n".join(table.markdown() for table in tables) + "\n"
    (folder / "CARD.md").write_text(revised(_card(folder), shown, marks(study)), encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    title = f"{found.origin.generator}, {study}, on {found.data}"
    (out / f"{study}.html").write_text(page(title, pictures, tables), encoding="utf-8")


def _card(folder: Path) -> str:
    try:
        return (folder / "CARD.md").read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{folder.name}/CARD.md cannot be read: write the card of the generator first.") from error
