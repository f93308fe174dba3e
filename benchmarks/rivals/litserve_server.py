"""LitServe: `python -m benchmarks.rivals.litserve_server PORT MODEL_FOLDER`.

It is made for JSON; raw bytes get in by way of FastAPI, which reads them where a parameter says so, and out as a
response made by hand. They become an array at once, because it writes out each request for its log, also where nobody
reads that, and of an array only the ends. Answers come back from its worker through ZeroMQ, its fast queue.
"""

import sys
from pathlib import Path
from typing import Annotated

import litserve
import numpy as np
from fastapi import Body, Response
from pydantic import AfterValidator

from benchmarks.rivals.engine import answer, opened
from scintiflow.inference.session import Floats


def _values(body: bytes) -> Floats:
    return np.frombuffer(body, "<f4")


Raw = Annotated[bytes, AfterValidator(_values), Body(media_type="application/octet-stream")]


class Classifier(litserve.LitAPI):
    """One scan a call, as our own service runs them on a CPU."""

    def __init__(self, folder: Path) -> None:
        super().__init__(api_path="/infer")
        self._folder = folder

    def setup(self, device: str) -> None:
        """Open the engine in the worker's process."""
        self._engine = opened(self._folder)

    def decode_request(self, request: Raw) -> Raw:
        """Take the values as they came."""
        return request

    def predict(self, question: Floats) -> bytes:
        """Answer one question."""
        (said,) = answer(self._engine, [question])
        return said

    def encode_response(self, said: bytes) -> Response:
        """Send the bytes as they are."""
        return Response(said, media_type="application/octet-stream")


if __name__ == "__main__":
    server = litserve.LitServer(Classifier(Path(sys.argv[2])), accelerator="cpu", timeout=120, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
