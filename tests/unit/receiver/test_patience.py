"""When a slow peer is cut."""

from scintiflow.receiver.patience import Patience


def test_a_drip_is_cut_at_the_end_of_the_window() -> None:
    """A byte now and then is not enough."""
    patience = Patience(floor=100, window=10)
    patience.heard(1)
    assert patience.bears(5)
    patience.heard(1)
    assert patience.left == 5
    assert not patience.bears(5)


def test_every_window_counts_for_itself() -> None:
    """A good start buys no long silence."""
    patience = Patience(floor=100, window=10)
    patience.heard(1_000_000)
    assert patience.bears(10)
    assert not patience.bears(10)


def test_between_messages_a_peer_may_be_silent() -> None:
    """What was waited before a rest is forgotten."""
    patience = Patience(floor=100, window=10)
    for _ in range(5):
        assert patience.bears(9)
        patience.rest()
    assert patience.left == 10
