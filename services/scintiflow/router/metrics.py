"""What the router exports."""

from prometheus_client import Counter, Histogram

from scintiflow.telemetry import LATENCY_BUCKETS

STAGE_SECONDS = Histogram(
    "scintiflow_router_stage_seconds",
    "Seconds a study spends in one stage: wait (in the queue), decode, classify, encode.",
    ["stage"],
    buckets=LATENCY_BUCKETS,
)
STUDIES = Counter("scintiflow_router_studies", "Studies that left the router, by outcome.", ["outcome"])
FINDINGS = Counter("scintiflow_router_findings", "Findings recorded.", ["model", "status"])
