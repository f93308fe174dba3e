"""Makes labelled synthetic scans over HTTP, a few at once or batches of any size."""

import scintiflow.serving  # noqa: F401  # before anything imports prometheus_client
