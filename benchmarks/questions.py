"""One scan and its answer in the words that a server understands, each time in the cheapest that it has."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from scintiflow.classifier.inference_protocol import HEADER_LENGTH
from scintiflow.inference.engine import OUTPUTS
from scintiflow.inference.session import Floats


@dataclass(frozen=True)
class Question:
    """What to post, and how to read the raw values of probability, logit and map out of the answer."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    values: Callable[[httpx.Response], bytes]
    scans: int = 1


Words = Callable[[str, Floats, Floats], Question]
"""Takes the name of the model, a canvas [1, 2, h, w], and what is present in it [1, 2]; our protocol takes several."""


def open_inference(model: str, canvas: Floats, present: Floats) -> Question:
    """Ask in the Open Inference Protocol, in binary both ways."""
    inputs = {"canvas": canvas, "present": present}
    head = {
        "inputs": [
            {
                "name": name,
                "shape": values.shape,
                "datatype": "FP32",
                "parameters": {"binary_data_size": values.nbytes},
            }
            for name, values in inputs.items()
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in OUTPUTS],
    }
    said = json.dumps(head).encode()
    headers = {HEADER_LENGTH: str(len(said)), "Content-Type": "application/octet-stream"}
    body = said + canvas.tobytes() + present.tobytes()
    return Question(f"/v2/models/{model}/infer", headers, body, _behind_header, len(canvas))


def raw(model: str, canvas: Floats, present: Floats) -> Question:
    """Ask with nothing but the values."""
    headers = {"Content-Type": "application/octet-stream"}
    return Question("/infer", headers, canvas.tobytes() + present.tobytes(), lambda answer: answer.content)


def form(model: str, canvas: Floats, present: Floats) -> Question:
    """Ask with the values as a file in a form; they come back in base64, in a list."""
    posted = httpx.Request("POST", "http://server", files={"scans": canvas.tobytes() + present.tobytes()})
    headers = {"Content-Type": posted.headers["Content-Type"]}
    return Question("/infer", headers, posted.read(), lambda answer: base64.b64decode(answer.json()[0]))


def _behind_header(answer: httpx.Response) -> bytes:
    return answer.content[int(answer.headers[HEADER_LENGTH]) :]
