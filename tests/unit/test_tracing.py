"""Where spans stand, and what becomes of them without a way out."""

import sys

import pytest
import structlog

from scintiflow.tracing import NOWHERE, Place, open_tracing
from scintiflow.tracing.place import delivered, gathered, place, place_in, read, received, whole
from scintiflow.tracing.spans import Span, Tracing, traceparent

FOLDER = "c47f5b18b8a430e698b9fe15e51f6119"


def test_every_step_of_a_study_stands_at_a_place_of_its_own() -> None:
    """Steps, revisions, objects and destinations are told apart, in every process alike."""
    steps = [
        whole(),
        received("a"),
        received("b"),
        gathered(1),
        gathered(2),
        read(1),
        delivered(1, "a"),
        delivered(1, "b"),
    ]
    places = [place("1" * 32, step) for step in steps]
    assert len(set(places)) == len(steps)
    assert places == [place("1" * 32, step) for step in steps]
    assert place("2" * 32, whole()).span != places[0].span


def test_a_block_is_told_below_the_one_around_it() -> None:
    """What is asked of others in a step names the step; where it fails, the span says how and the error goes on."""
    told: list[Span] = []
    tracing = Tracing(told.append, b"salt")
    with pytest.raises(ValueError), tracing.attempt(FOLDER, read(1)), tracing.step("classify"):
        asked = traceparent()
        raise ValueError("1.2.3")
    classify, attempt = told
    assert asked == {"traceparent": f"00-{classify.at.trace}-{classify.at.span}-01"}
    assert classify.parent == attempt.at
    assert (attempt.name, attempt.failure) == ("read attempt", "ValueError")
    assert traceparent() == {}


def test_nothing_is_told_and_nobody_asked_on_without_an_endpoint() -> None:
    """Steps run as they are, and requests carry no header."""
    with NOWHERE.attempt(FOLDER, read(1)), NOWHERE.step("classify"):
        assert traceparent() == {}
    NOWHERE.tell(FOLDER, read(1), gathered(1), 1.0, 2.0)
    assert open_tracing("keeper", None) is open_tracing("keeper", "") is NOWHERE


@pytest.mark.parametrize(
    "header", ["", "00-x-y-01", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01", f"01-{'1' * 32}"]
)
def test_a_header_that_names_no_span_is_passed_over(header: str) -> None:
    """Whatever a stranger sends as `traceparent`, only a well-formed one is followed."""
    assert place_in(header) is None
    assert place_in(Place("1" * 32, "2" * 16).traceparent) == Place("1" * 32, "2" * 16)


def test_without_the_extra_the_line_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is configured where nothing can speak to it is a warning that says what to install."""
    monkeypatch.setitem(sys.modules, "scintiflow.tracing.otlp", None)
    with structlog.testing.capture_logs() as said:
        assert open_tracing("keeper", "http://127.0.0.1:4318") is NOWHERE
    assert "install the extra `tracing`" in said[0]["event"]
