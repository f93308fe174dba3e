"""What looking for shortcuts in synthetic scans promises."""

from scintilab.archive import Question
from scintilab.shortcuts.verdict import Verdict
from scintilab.studies.shortcuts import shortcuts
from tests.unit.scintilab.studies.painter import Painter, labels, painted

COUNT = 100


def tried(painter: Painter, question: Question = "metastasis") -> dict[str, Verdict]:
    """Return the verdicts by suspect."""
    asked = labels(COUNT, 6)
    # As in life, disease adds counts: asked to be as bright as the healthy, the sick would be dim elsewhere.
    bright, healthy = (painter.samples(6, 0, conditions).sum((1, 2, 3)) for conditions in (asked, asked.healthy()))
    asked = asked._replace(counts=asked.counts * bright / healthy)
    scans, twins = (painted(COUNT, 6, painter, asked=conditions) for conditions in (asked, asked.healthy()))
    return {verdict.suspect: verdict for verdict in shortcuts(question, scans, twins, resamples=100)}


def test_honest_painter_has_no_shortcut() -> None:
    """Scans without their disease do not tell who was asked to be sick, for both questions."""
    metastasis, cardiac = tried(Painter()), tried(Painter(), "cardiac")
    assert {"picture without lesions", "picture of the twin", "hot spots of the twin", "counts"} <= set(metastasis)
    assert "picture without chest" in cardiac
    assert [str(verdict) for verdict in (*metastasis.values(), *cardiac.values()) if verdict.shortcut] == []


def test_bright_corner_is_found() -> None:
    """A painter that marks sick scans in a corner, where no body is, has a shortcut."""
    assert tried(Painter(corner=True))["picture without lesions"].shortcut
