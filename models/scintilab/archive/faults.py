"""What is wrong with an archive, told all at once instead of one fault a run."""

from collections.abc import Sequence

from scintiflow.errors import Refused

MOST_TOLD = 20
"""Faults; more than these have one cause."""


def require_none(faults: Sequence[str]) -> None:
    """Stop where there is any fault, with a line for each.

    Raises:
        Refused: there is one.
    """
    if faults:
        rest = len(faults) - MOST_TOLD
        raise Refused("\n".join([*faults[:MOST_TOLD], *([f"There are {rest} more."] if rest > 0 else [])]))
