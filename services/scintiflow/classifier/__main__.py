"""`python -m scintiflow.classifier`: serve the models until told to stop."""

import os
import tempfile

from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.config import Deployment
from scintiflow.lifetime import die_with_parent, temporary_folder

_SERVICE = "scintiflow.classifier.service:Classifier"
_GRACE_SECONDS = 3
"""How long a stop waits for requests that run."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection, so that the client, who knows when it asks, is the one to close it."""


def main() -> None:
    """Run `bentoml serve` here, with a home of its own: two servers that share one wipe each other's files."""
    die_with_parent()
    host, port = ClassifierSettings().host, Deployment().port("classifier")
    with temporary_folder("scintiflow-classifier-") as home:
        tempfile.tempdir = str(home)  # it makes more folders, and leaves them behind when it is killed
        os.environ |= {
            "TMPDIR": str(home),
            "BENTOML_HOME": str(home),
            "BENTOML_DO_NOT_TRACK": "True",
            "SCINTIFLOW_CLASSIFIER_SUPERVISOR": str(os.getpid()),
        }
        from bentoml_cli.cli import cli

        times = [f"--timeout-graceful-shutdown={_GRACE_SECONDS}", f"--timeout-keep-alive={_KEEP_ALIVE_SECONDS}"]
        cli(["serve", _SERVICE, f"--host={host}", f"--port={port}", *times], standalone_mode=False)


if __name__ == "__main__":
    main()
