"""How many may be here at once."""

from scintiflow.receiver.headcount import Headcount


def test_only_those_here_count() -> None:
    """One address may not fill the house, all may, and who leaves makes room."""
    here = Headcount(most=3, most_per_address=2)
    assert [here.enter("a") for _ in range(3)] == [True, True, False]
    assert [here.enter("b") for _ in range(2)] == [True, False]
    here.leave("a")
    assert here.enter("b")
    assert here.wait_until_empty(0) == 3
