"""What a stranger can provoke in the log."""

from structlog.testing import capture_logs

from scintiflow.receiver.sparing import Sparing


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_said_at_once_the_others_together() -> None:
    """One line at first, then one for all that came in the window, then silence."""
    clock = Clock()
    sparing = Sparing(10, clock)
    with capture_logs() as lines:
        for number in range(100):
            sparing.warning("10.0.0.1", "closed", number=number)
        sparing.warning("10.0.0.2", "closed", number=0)
        assert len(lines) == 2
        for clock.now in (9.9, 10, 20, 30):
            sparing.catch_up()
    (line,) = lines[2:]
    assert (line["times"], line["number"]) == (99, 99)


def test_no_number_of_names_fills_memory_or_log() -> None:
    """Beyond some hundred different keys all others are one, and none of them is named for what the rest did."""
    clock = Clock()
    sparing = Sparing(10, clock)
    with capture_logs() as lines:
        for number in range(10_000):
            sparing.warning(number, "rejected", number=number)
        assert len(lines) < 300
        clock.now = 10
        sparing.catch_up()
    assert "number" not in lines[-1]
    assert lines[-1]["times"] > 9_000


def test_what_one_peer_did_twice_is_not_what_it_did_once() -> None:
    """Two events of one peer are two lines, each with its own number of times."""
    clock = Clock()
    sparing = Sparing(10, clock)
    with capture_logs() as lines:
        for event in ("rejected", "closed", "closed"):
            sparing.warning("10.0.0.1", event)
        clock.now = 10
        sparing.catch_up()
    assert [(line["event"], line.get("times")) for line in lines] == [
        ("rejected", None),
        ("closed", None),
        ("closed", 1),
    ]
