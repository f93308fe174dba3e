"""Bodies of the Open Inference Protocol: what is read, what is refused, what is written."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scintiflow.classifier.tensors import Asked, parse, render
from scintiflow.errors import Refused
from scintiflow.inference.engine import Answer
from scintiflow.inference.session import Floats
from tests.graphs import scans

CANVAS, PRESENT = scans(2)


def tensor(name: str, values: Floats, **changes: Any) -> dict[str, Any]:
    """Describe a tensor in JSON without its values."""
    return {"name": name, "shape": list(values.shape), "datatype": "FP32", **changes}


def json_body(**changes: Any) -> bytes:
    """Make a request for one dark scan, values flat."""
    inputs = [
        tensor("canvas", CANVAS[:1], data=[0] * CANVAS[0].size),
        tensor("present", PRESENT[:1], data=[1, 1]),
    ]
    return json.dumps({"inputs": inputs, **changes}).encode()


def binary_body(**changes: Any) -> tuple[bytes, int]:
    """Make a binary request for two scans; return it with the length of its header."""
    blobs = [CANVAS.tobytes(), PRESENT.tobytes()]
    inputs = [
        tensor(name, values, parameters={"binary_data_size": len(blob)})
        for name, values, blob in zip(("canvas", "present"), (CANVAS, PRESENT), blobs, strict=True)
    ]
    header = json.dumps({"inputs": inputs, **changes}).encode()
    return header + b"".join(blobs), len(header)


def test_binary_values_arrive_as_they_are() -> None:
    """Two scans in one binary request come out bit for bit."""
    asked = parse(*binary_body(id="7"))
    assert asked.id == "7"
    np.testing.assert_array_equal(asked.canvas, CANVAS)
    np.testing.assert_array_equal(asked.present, PRESENT)


def test_json_values_may_be_flat_or_nested() -> None:
    """The same values, flat or nested like the shape, are the same request."""
    small = np.round(CANVAS[:1], 3)
    bodies = [
        json.dumps(
            {
                "inputs": [
                    tensor("canvas", small, data=data),
                    tensor("present", PRESENT[:1], data=[[1.0, 0]]),
                ]
            }
        ).encode()
        for data in (small.tolist(), small.ravel().tolist())
    ]
    for body in bodies:
        asked = parse(body, None)
        np.testing.assert_array_equal(asked.canvas, small)
        assert asked.present.tolist() == [[1, 0]]


def test_a_request_may_mix_json_and_binary() -> None:
    """One input in binary and the other in JSON is fine."""
    blob = CANVAS[:1].tobytes()
    inputs = [
        tensor("present", PRESENT[:1], data=[1, 1]),
        tensor("canvas", CANVAS[:1], parameters={"binary_data_size": len(blob)}),
    ]
    header = json.dumps({"inputs": inputs}).encode()
    np.testing.assert_array_equal(parse(header + blob, len(header)).canvas, CANVAS[:1])


@pytest.mark.parametrize(
    ("changes", "outputs"),
    [
        ({}, {"probability": False, "logit": False, "map": False}),
        ({"parameters": {"binary_data_output": True}}, {"probability": True, "logit": True, "map": True}),
        ({"outputs": [{"name": "map"}]}, {"map": False}),
        (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [{"name": "map"}, {"name": "probability", "parameters": {"binary_data": False}}],
            },
            {"map": True, "probability": False},
        ),
        ({"outputs": [{"name": "map", "parameters": {"binary_data": True}}]}, {"map": True}),
    ],
)
def test_outputs_are_chosen_one_by_one_or_all_together(changes: dict[str, Any], outputs: dict[str, bool]) -> None:
    """binary_data_output decides for all, binary_data for one; no choice means every output, in JSON."""
    assert parse(json_body(**changes), None).outputs == outputs


@pytest.mark.parametrize(
    ("parameters", "bulk", "within"),
    [
        ({}, False, None),
        ({"priority": 0, "timeout": 0}, False, None),
        ({"priority": 1}, False, None),
        ({"priority": 2, "timeout": 2_500_000}, True, 2.5),
    ],
)
def test_a_client_may_say_how_urgent_it_is(parameters: dict[str, Any], bulk: bool, within: float | None) -> None:
    """Priority 2 is bulk, timeout is in microseconds, and 0 is as if nothing had been said."""
    asked = parse(json_body(parameters=parameters), None)
    assert asked.bulk is bulk
    assert asked.within == (within and pytest.approx(within))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not an inference request"),
        (b"[1]", "not an inference request"),
        (b'{"inputs": [{"name": "canvas"}]}', r"inputs.0.shape"),
        (json_body(inputs=[]), "canvas is missing"),
        (json_body(inputs=[tensor("present", PRESENT, data=[1, 1, 1, 1])]), "canvas is missing"),
        (json_body(inputs=[tensor("image", PRESENT, data=[1, 1, 1, 1])]), "'image' is not expected"),
        (json_body(inputs=[tensor("present", PRESENT, data=[1, 1, 1, 1])] * 2), "each once"),
        (json_body(inputs=[tensor("present", PRESENT, datatype="FP64", data=[1])]), "datatype FP32, not 'FP64'"),
        (json_body(inputs=[tensor("present", PRESENT[:, :1], data=[1, 1])]), r"shape \[N, 2\]"),
        (json_body(inputs=[tensor("present", PRESENT[:0], data=[])]), "N of 1 or more"),
        (json_body(inputs=[tensor("present", PRESENT)]), "neither data nor binary_data_size"),
        (json_body(inputs=[tensor("present", PRESENT, data=[1, 1, 1])]), "holds 3 values, its shape 4"),
        (json_body(inputs=[tensor("present", PRESENT, data=[[1, 1], [1]])]), "differ in length"),
        (json_body(inputs=[tensor("present", PRESENT, data=[["1", "1"], ["1", "1"]])]), "are numbers"),
        (json_body(inputs=[tensor("present", PRESENT, data=[True, True, True, True])]), "are numbers"),
        (json_body(inputs=[tensor("present", PRESENT, data=[1, 1, 1, float("nan")])]), "no finite numbers"),
        (json_body(inputs=[tensor("present", PRESENT, data=[1, 1, 1, 1e300])]), "no finite numbers"),
        (json_body(outputs=[{"name": "class"}]), "'class' is not expected"),
        (json_body(parameters={"priority": 3}), "parameters.priority"),
        (json_body(parameters={"timeout": -1}), "parameters.timeout"),
        (json_body(parameters={"timeout": 10**400}), "parameters.timeout"),
        (json_body(outputs=[{"name": "map"}, {"name": "map"}]), "each once"),
    ],
)
def test_a_broken_request_is_refused_with_its_place(body: bytes, sentence: str) -> None:
    """Whatever is wrong, the sentence names the tensor and what was expected."""
    with pytest.raises(Refused, match=sentence):
        parse(body, None)


def test_rows_must_agree() -> None:
    """Two scans with one `present` row are refused."""
    inputs = [
        tensor("canvas", CANVAS[:1], data=[0] * CANVAS[0].size),
        tensor("present", PRESENT, data=[1, 1, 1, 1]),
    ]
    with pytest.raises(Refused, match="canvas holds 1 scans and present 2"):
        parse(json.dumps({"inputs": inputs}).encode(), None)


@pytest.mark.parametrize("change", [-1, 1, -CANVAS.nbytes])
def test_a_binary_body_of_another_length_is_refused(change: int) -> None:
    """Missing or left-over bytes are refused, and so is a header length that cuts the JSON."""
    body, length = binary_body()
    wrong = body[:change] if change < 0 else body + b"\0" * change
    with pytest.raises(Refused, match="bytes"):
        parse(wrong, length)


@pytest.mark.parametrize("length", [0, 5, 10**9])
def test_a_wrong_header_length_is_refused(length: int) -> None:
    """A header length of nothing, too little or too much is refused."""
    with pytest.raises(Refused):
        parse(binary_body()[0], length)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.none() | st.integers(0, 300))
def test_no_body_brings_it_down(body: bytes, length: int | None) -> None:
    """Arbitrary bytes are refused, never a crash."""
    with pytest.raises(Refused):
        parse(body, length)


def test_a_response_carries_its_outputs_in_the_wanted_order() -> None:
    """JSON outputs are flat lists, binary ones follow the header in order, and its length is told."""
    answer = Answer(
        np.array([[0.25], [0.5]], np.float32), np.array([[-1], [0]], np.float32), np.ones((2, 1, 3, 2), np.float32)
    )
    asked = Asked("7", CANVAS, PRESENT, {"map": True, "probability": False, "logit": True})
    body, length = render(asked, answer, {"model_name": "bright"})
    assert length is not None
    header = json.loads(body[:length])
    assert (header["model_name"], header["id"]) == ("bright", "7")
    assert [output["name"] for output in header["outputs"]] == ["map", "probability", "logit"]
    assert header["outputs"][0]["parameters"] == {"binary_data_size": 48}
    assert header["outputs"][0]["shape"] == [2, 1, 3, 2]
    assert header["outputs"][1]["data"] == [0.25, 0.5]
    assert np.frombuffer(body[length:], "<f4").tolist() == [1.0] * 12 + [-1, 0]
    plain, nothing = render(Asked(None, CANVAS, PRESENT, {"logit": False}), answer, {})
    assert nothing is None
    assert "id" not in json.loads(plain)
