"""Reporting checklists, filled from a run: CLAIM 2020 (42 items) and STARD 2015 (30 items), in our words.

An item is answered by numbers of the evaluation, by what somebody wrote about the study, or by nobody; then it
says so.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from scintilab.evaluate.evaluation import SIMULATED, Evaluation
from scintilab.evaluate.tables import Table

UNANSWERED = "Nobody has answered this."


@dataclass(frozen=True)
class Item:
    """What an item asks, and where the answer is.

    Args:
        measured: the answer, with the evaluation's fields in braces.
        needs: fields of the evaluation without which `measured` is not an answer.
        study: under which name the study's own words are looked up.
    """

    asks: str
    measured: str = ""
    needs: Sequence[str] = ()
    study: str = ""

    def answer(self, document: Mapping[str, Any], study: Mapping[str, str]) -> str:
        """Return the answer in words."""
        parts = []
        if self.measured and all(document.get(field) for field in self.needs):
            parts.append(self.measured.format(**document))
        if self.study in study:
            parts.append(study[self.study])
        return " ".join(parts) or UNANSWERED


def filled(evaluation: Evaluation, study: Mapping[str, str]) -> list[Table]:
    """Return one table a list, each item with its answer.

    Args:
        evaluation: what was measured.
        study: what only people can say, by the names in `checklist.toml`: "eligibility", "training", "funding". What
            follows from the patients being simulated is said already.
    """
    lists = tomllib.loads(files("scintilab.evaluate").joinpath("checklist.toml").read_text(encoding="utf-8"))
    simulated = lists.pop(SIMULATED)
    known = {**(simulated if evaluation.data == SIMULATED else {}), **study}
    return [_filled(evaluation, name, items, known) for name, items in lists.items()]


def _filled(evaluation: Evaluation, name: str, items: Mapping[str, Any], study: Mapping[str, str]) -> Table:
    document = {
        **asdict(evaluation),
        "site_names": ", ".join(evaluation.sites),
        "others": ", ".join(evaluation.mean.sites),
    }
    asked = [(number, Item(**item)) for number, item in items.items()]
    rows = tuple((number, item.asks, item.answer(document, study)) for number, item in asked)
    answered = sum(not answer.startswith("Nobody ") for *_, answer in rows)
    caption = f"{name}: {answered} of {len(rows)} items answered ({evaluation.data})"
    return Table(caption, ("item", "asks", "answer"), rows)
