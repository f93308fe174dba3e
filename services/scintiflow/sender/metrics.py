"""What the sender exports."""

from prometheus_client import Counter, Histogram

from scintiflow.telemetry import LATENCY_BUCKETS

RESULTS = Counter("scintiflow_sender_results", "Results sent, by outcome.", ["destination", "outcome"])
DELIVER_SECONDS = Histogram(
    "scintiflow_sender_deliver_seconds",
    "One association with a destination, from request to release.",
    ["destination"],
    buckets=LATENCY_BUCKETS,
)
END_TO_END_SECONDS = Histogram(
    "scintiflow_sender_end_to_end_seconds",
    "From the last needed object on disk to the last result acknowledged.",
    ["destination"],
    buckets=LATENCY_BUCKETS,
)
