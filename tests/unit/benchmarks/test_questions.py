"""The same scan in every server's words, and the same answer out of them."""

import base64
from pathlib import Path

import httpx
import numpy as np
import pytest

from benchmarks.questions import Words, form, open_inference, raw
from benchmarks.rivals.engine import answer, opened
from scintiflow.classifier.tensors import parse
from scintiflow.inference.engine import OUTPUTS
from tests.graphs import answer as right_answer
from tests.graphs import bright_graph, model_folder, scans

VALUES = np.arange(6, dtype="<f4").tobytes()


@pytest.mark.parametrize("rows", [1, 8])
def test_our_service_understands_the_question(rows: int) -> None:
    """Its own parser finds every scan, and that all three outputs are wanted in binary."""
    canvas, present = scans(rows)
    question = open_inference("bright", canvas, present)
    asked = parse(question.body, int(question.headers["Inference-Header-Content-Length"]))
    np.testing.assert_array_equal(asked.canvas, canvas)
    np.testing.assert_array_equal(asked.present, present)
    assert question.scans == rows
    assert asked.outputs == dict.fromkeys(OUTPUTS, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (open_inference, httpx.Response(200, content=b"{}" + VALUES, headers={"Inference-Header-Content-Length": "2"})),
        (raw, httpx.Response(200, content=VALUES)),
        (form, httpx.Response(200, json=[base64.b64encode(VALUES).decode()])),
    ],
)
def test_the_values_are_read_out_of_every_answer(words: Words, said: httpx.Response) -> None:
    """Whatever is around them."""
    assert words("bright", *scans(1)).values(said) == VALUES


def test_rivals_answer_with_the_projects_engine(tmp_path: Path) -> None:
    """Raw questions of two scans in one call are answered each with its own probability, logit and map."""
    folder, (canvas, present) = model_folder(tmp_path), scans(2, seed=3)
    bodies = [raw("bright", canvas[row : row + 1], present[row : row + 1]).body for row in range(2)]
    expected = right_answer(bright_graph().SerializeToString(), canvas, present)
    for row, said in enumerate(answer(opened(folder), bodies)):
        values = np.concatenate([expected[name][row].ravel() for name in OUTPUTS])
        np.testing.assert_allclose(np.frombuffer(said, "<f4"), values, atol=0.02)
