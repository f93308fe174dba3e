"""What rewriting a model's card promises."""

import pytest

from scintiflow.errors import Refused
from scintilab.evaluate.card import BEGIN, END, revised

CARD = f"# bright\n\nProse.\n\n{BEGIN}\n\n| old |\n\n{END}\n\nMore prose.\n"


def test_tables_change_and_prose_stays() -> None:
    """Only what stands between the marks is replaced, and replacing it again by the same changes nothing."""
    found = revised(CARD, "| new |\n")
    assert found.startswith(f"# bright\n\nProse.\n\n{BEGIN}\n\n| new |\n")
    assert found.endswith(f"{END}\n\nMore prose.\n")
    assert "old" not in found
    assert revised(found, "| new |\n") == found


@pytest.mark.parametrize("card", ["# bright\n", f"{END}\n{BEGIN}\n", CARD + CARD])
def test_card_without_a_place_is_refused(card: str) -> None:
    """Without the two marks, once each and in order, nothing is written, and the sentence names the lines to write."""
    with pytest.raises(Refused, match="write the lines <!-- evaluation"):
        revised(card, "| new |\n")
