"""BentoML with its own adaptive batching: `python -m benchmarks.rivals.bentoml_batchable PORT MODEL_FOLDER`.

Raw bytes come in as files of a form, because an endpoint that batches takes arrays in JSON or lists, and go out in
base64. Its metrics and its access log are off, as they are in our own service.
"""

import os
import sys
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

import bentoml

from benchmarks.rivals.engine import answer, opened

_FOLDER = "RIVAL_MODEL_FOLDER"


@bentoml.service(
    workers=1, traffic={"timeout": 120}, metrics={"enabled": False}, logging={"access": {"enabled": False}}
)
class Batchable:
    """One engine."""

    def __init__(self) -> None:
        self._engine = opened(Path(os.environ[_FOLDER]))

    @bentoml.api(batchable=True, max_batch_size=8)
    def infer(self, scans: list[Path]) -> list[str]:
        """Answer what has gathered."""
        return [b64encode(said).decode() for said in answer(self._engine, [scan.read_bytes() for scan in scans])]


if __name__ == "__main__":
    with TemporaryDirectory() as home:
        os.environ |= {_FOLDER: sys.argv[2], "BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"}
        from bentoml_cli.cli import cli

        cli(["serve", "benchmarks.rivals.bentoml_batchable:Batchable", "--host=127.0.0.1", f"--port={sys.argv[1]}"])
