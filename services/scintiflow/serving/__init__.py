"""What the services that speak HTTP have in common: exchanges, probes, and the BentoML server around them."""

import os

# BentoML asks its workers for metrics in shared files. There is one worker, so memory does, and shows the
# process's own CPU and memory too. prometheus_client decides when it is first imported: after this line.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
