"""Serves the models over HTTP."""

import scintiflow.serving  # noqa: F401  # before anything imports prometheus_client
