"""Who a generator learns from."""

from scintilab.generator.learners import HELD_OUT, LEARNT
from scintilab.parts import PARTS
from scintilab.studies.people import OTHERS


def test_nobody_who_judges_or_is_held_out_is_learnt_from() -> None:
    """Of each site, those that a generator learns from are others than all who judge, validate or are held out."""
    apart = [*(part for name, part in PARTS.items() if name != "train"), *OTHERS.values(), *HELD_OUT.items()]
    for site, numbers in apart:
        assert not set(LEARNT[site]) & set(numbers), (site, numbers)
