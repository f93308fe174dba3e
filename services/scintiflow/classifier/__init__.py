"""Serves the models over HTTP."""

import os

# BentoML asks its workers for metrics in shared files. There is one worker, so memory does, and shows the
# process's own CPU and memory too. prometheus_client decides when it is first imported: after this line.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
