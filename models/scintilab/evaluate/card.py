"""A model's CARD.md: people write the prose, and the tables between two marks come from the evaluation."""

from scintiflow.errors import Refused
from scintilab.evaluate.evaluation import Evaluation
from scintilab.evaluate.tables import Published, tables

BEGIN, END = "<!-- evaluation: written by `make evaluate` -->", "<!-- end of evaluation -->"


def card(evaluation: Evaluation, published: Published | None = None) -> str:
    """Return the tables for the model's CARD.md."""
    return "\n\n".join(table.markdown() for table in tables(evaluation, published)) + "\n"


def revised(text: str, tables: str) -> str:
    """Return a card with other tables between the marks.

    Raises:
        Refused: the marks are not there, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise Refused(f"CARD.md has no place for the tables: write the lines {BEGIN} and {END} where they belong.")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"
