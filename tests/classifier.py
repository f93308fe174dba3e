"""A classifier for tests: a real server of the Open Inference Protocol v2 that fails or lies on request."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

FACTS: dict[str, Any] = {
    "version": "0.1.0",
    "digest": "ab" * 32,
    "label": "bone metastases",
    "requires": ["anterior", "posterior"],
    "threshold": 0.5,
    "evidence": "simulated patients",
    "question": {"value": "94222008", "scheme": "SCT", "meaning": "Bony metastasis"},
    "site": None,
}
CARDIAC: dict[str, Any] = {
    **FACTS,
    "digest": "cd" * 32,
    "label": "cardiac uptake",
    "requires": ["anterior"],
    "question": {"value": "PERUGINI-GE2", "scheme": "99SCINTIFLOW", "meaning": "Perugini grade 2 or 3"},
    "site": {"value": "80891009", "scheme": "SCT", "meaning": "Heart"},
}

Lie = Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]
"""Turns the true header and the true values of an answer into what is sent."""


class Classifier(ThreadingHTTPServer):
    """Answers like the classifier with one model, or with more; its attributes make it fail."""

    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.asked = 0
        """How many inferences were asked for."""
        self.described = 0
        """How often a model was asked about."""
        self.hosts: set[str] = set()
        """Whom the questions were for, as they said."""
        self.heal()
        super().__init__((address, port), _Answer)

    def heal(self) -> None:
        """Answer as it should."""
        self.status = 200
        self.retry_after: str | None = None
        self.probability = 0.75
        self.map_shape: tuple[int, ...] = (1, 1, 4, 8)
        self.output_names = ("probability", "logit", "map")
        self.index: Any = [{"name": "metastasis", "state": "READY"}]
        self.facts: Any = FACTS
        self.more: dict[str, Any] = {}
        """Facts of more models by name."""
        self.lie: Lie = lambda head, values: (head, values)
        self.header_length: str | None = None
        self.drips: Callable[[bytes], bool] = lambda question: False
        """Whether the answer to this question comes at ten bytes a second."""

    def __enter__(self) -> "Classifier":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def serve_cardiac(self) -> None:
        """Serve a second model, which needs the anterior view alone."""
        self.more["cardiac"] = CARDIAC
        self.index.append({"name": "cardiac", "state": "READY"})

    def answer(self, model: str) -> tuple[bytes, str]:
        """Return the body of a model's answer, and how long it says its header is."""
        heat = np.ones(self.map_shape, "<f4").tobytes()
        shapes = [((1, 1), 4), ((1, 1), 4), (self.map_shape, len(heat))]
        outputs = [_output(name, *shape) for name, shape in zip(self.output_names, shapes, strict=True)]
        parameters = {"engine": "test", "precision": "f32", "digest": self.more.get(model, self.facts)["digest"]}
        truth = {"model_name": model, "outputs": outputs, "parameters": parameters}
        head, values = self.lie(truth, np.array([self.probability, 1.0], "<f4").tobytes() + heat)
        said = json.dumps(head).encode()
        return said + values, self.header_length or str(len(said))


class _Answer(BaseHTTPRequestHandler):
    server: Classifier

    def do_GET(self) -> None:
        self.server.described += 1
        facts = self.server.more.get(self._model, self.server.facts)
        self._send(json.dumps({"name": self._model, "parameters": facts}).encode())

    def do_POST(self) -> None:
        question = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("index"):
            return self._send(json.dumps(self.server.index).encode())
        self.server.asked += 1
        self.server.hosts.add(self.headers["Host"])
        body, length = self.server.answer(self._model)
        headers = {"Inference-Header-Content-Length": length}
        return self._send(body, headers, drips=self.server.drips(question))

    @property
    def _model(self) -> str:
        """The model that was asked about: /v2/models/NAME, or something below it."""
        return self.path.split("/")[3]

    def _send(self, body: bytes, headers: dict[str, str] | None = None, *, drips: bool = False) -> None:
        self.send_response(self.server.status)
        if self.server.retry_after is not None:
            self.send_header("Retry-After", self.server.retry_after)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for at in range(0, len(body), 1) if drips else ():
                self.wfile.write(body[at : at + 1])
                time.sleep(0.1)
            self.wfile.write(b"" if drips else body)
        except OSError:
            return  # whoever asked has left

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _output(name: str, shape: tuple[int, ...], size: int) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": "FP32", "parameters": {"binary_data_size": size}}
