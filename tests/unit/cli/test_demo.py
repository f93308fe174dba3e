"""The demo's table and what it holds against what was simulated."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from rich.console import Console

from scintiflow.cli.demo.case import ONE_VIEW, Case, cases
from scintiflow.cli.demo.seen import Seen
from scintiflow.cli.demo.table import agreement, table
from scintiflow.dicom.eligibility import TRACER_UNKNOWN
from scintiflow.errors import Refused
from tests.graphs import skeleton_and_heart
from tests.stack import SHIPPED

MODELS = {"cardiac": "cardiac uptake", "metastasis": "bone metastases"}
BLURRED = {"JPEG2000.dcm": "compressed with loss at 2097:1"}
LOSSY = "Lossy image: the scan was compressed with loss at 76:1."


def case(name: str, *readers: str) -> Case:
    """One study that these models can read."""
    return Case(name, "1.2.3", (), frozenset(readers))


def sentence(text: str) -> Dataset:
    """One item of a report."""
    item = Dataset()
    item.TextValue = text
    return item


def seen(case: Case, *, notes: tuple[str, ...] = (), unsaid: bool = False, **answers: float | None) -> Seen:
    """What became of a case: each model's probability, or None where it could not read; a report says the notes."""
    report = Dataset()
    report.ContentSequence = [] if unsaid else [sentence(note) for note in notes]
    findings: list[dict[str, Any]] = [
        {
            "model": model,
            "label": MODELS[model],
            "status": "not_assessed" if probability is None else "assessed",
            "reason": "posterior view missing" if probability is None else None,
            "probability": probability,
            "positive": None if probability is None else probability >= 0.5,
        }
        for model, probability in answers.items()
    ]
    reports = [one["model"] for one in findings if one["status"] == "assessed"]
    received = {(model, kind): report for model in reports for kind in ("report", "picture")}
    study = {"findings": findings, "state": "delivered" if reports else "incomplete", "reason": None, "seconds": 1.5}
    return Seen(case, study, notes, BLURRED, received)


def printed(*rows: Seen) -> str:
    """The table as it stands on a screen of eighty columns."""
    screen = Console(width=80, file=StringIO(), record=True)
    screen.print(table(rows))
    return screen.export_text()


@pytest.mark.parametrize(
    ("name", "metastasis", "cardiac"),
    [
        ("normal-1", False, False),
        ("metastases-2", True, False),
        ("cardiac-3", False, True),
        ("both-4", True, True),
        (ONE_VIEW, None, None),
    ],
)
def test_the_name_of_an_example_tells_what_was_simulated(
    name: str, metastasis: bool | None, cardiac: bool | None
) -> None:
    """Of a real scan, and for a model that is not ours, nothing is known."""
    assert (case(name).truth("metastasis"), case(name).truth("cardiac")) == (metastasis, cardiac)
    assert case(name).truth("foreign") is None


def test_an_answer_other_than_simulated_is_marked_and_counted() -> None:
    """The table has a column a model, an asterisk at each wrong answer, and a sentence with their number."""
    rows = [
        seen(case("both-1"), cardiac=0.9, metastasis=0.3),
        seen(case("normal-1"), cardiac=0.1, metastasis=0.2),
        seen(case(ONE_VIEW), cardiac=0.7, metastasis=None),
    ]
    both, normal, real = [line for line in printed(*rows).splitlines() if "results" in line]
    assert "cardiac uptake" in printed(*rows)
    assert (both.count("*"), normal.count("*"), real.count("*")) == (1, 0, 0)
    assert "no result" in real
    assert "2 results" in real
    assert agreement(rows).startswith("3 of 4 answers")


def test_what_a_reader_must_know_stands_in_the_table() -> None:
    """Below a study's name stands each doubt by its name; the sentence is among the remarks."""
    one = seen(case(ONE_VIEW, "cardiac"), notes=(TRACER_UNKNOWN, LOSSY), cardiac=0.7, metastasis=None)
    assert "tracer unknown" in printed(one)
    assert "lossy image" in printed(one)
    assert {TRACER_UNKNOWN, LOSSY, "Bone metastases not assessed: posterior view missing."} <= set(one.remarks())


def test_a_missing_result_and_a_doubt_that_is_not_said_are_faults() -> None:
    """The demo ends well only if every model that can read a study has sent both results, doubts and all."""
    doubts = (TRACER_UNKNOWN, LOSSY)
    able = case(ONE_VIEW, "cardiac")
    assert seen(able, notes=doubts, cardiac=0.7, metastasis=None).faults() == []
    assert any("does not say" in fault for fault in seen(able, notes=doubts, unsaid=True, cardiac=0.7).faults())
    assert any("was not noted as" in fault for fault in seen(able, cardiac=0.7).faults())
    neither = seen(able, notes=doubts, cardiac=None, metastasis=None).faults()
    assert any("is incomplete" in fault for fault in neither)
    assert any("the PACS has nothing" in fault for fault in neither)


def test_each_model_reads_what_it_has_the_views_for(tmp_path: Path) -> None:
    """Examples have both views; the real scan is for models that need the anterior one alone."""
    models = skeleton_and_heart(tmp_path / "models")
    with pytest.raises(Refused, match="no example scans"):
        cases(models)
    (models / "heart" / "examples").symlink_to(SHIPPED / "metastasis" / "examples")
    *examples, real = cases(models)
    assert {example.readers for example in examples} == {frozenset({"heart", "skeleton"})}
    assert (real.name, real.readers) == (ONE_VIEW, frozenset({"heart"}))
