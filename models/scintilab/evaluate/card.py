"""A model's CARD.md: people write the prose, and the tables between two marks come from a command."""

from typing import NamedTuple

from scintiflow.errors import Refused
from scintilab.evaluate.evaluation import Evaluation
from scintilab.evaluate.tables import Published, tables

BEGIN, END = "<!-- evaluation: written by `make evaluate` -->", "<!-- end of evaluation -->"


class Marks(NamedTuple):
    """Lines between which tables stand."""

    begin: str
    end: str


EVALUATION = Marks(BEGIN, END)


def card(evaluation: Evaluation, published: Published | None = None) -> str:
    """Return the tables for the model's CARD.md."""
    return "\n\n".join(table.markdown() for table in tables(evaluation, published)) + "\n"


def revised(text: str, tables: str, marks: Marks = EVALUATION) -> str:
    """Return a card with other tables between two marks.

    Raises:
        Refused: the marks are not there, once each and in order.
    """
    before, begin, rest = text.partition(marks.begin)
    _, end, after = rest.partition(marks.end)
    if not begin or not end or begin in rest or end in after:
        lines = " and ".join(marks)
        raise Refused(f"CARD.md has no place for the tables: write the lines {lines} where they belong.")
    return f"{before}{begin}\n\n{tables}\n{end}{after}"
