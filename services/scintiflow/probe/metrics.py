"""What the probe exports."""

from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from scintiflow.telemetry import LATENCY_BUCKETS

Outcome = Literal["returned", "unreachable", "refused", "late"]

ROUNDS = Counter(
    "scintiflow_probe_rounds",
    "Synthetic scans sent round the line, by what became of them: returned, unreachable (no association), refused "
    "(not taken), late (no report in time).",
    ["outcome"],
)
ROUND_SECONDS = Histogram(
    "scintiflow_probe_round_seconds",
    "From asking for an association to the report on the scan; of those that returned.",
    buckets=LATENCY_BUCKETS,
)
RETURNED = Gauge(
    "scintiflow_probe_returned_timestamp_seconds",
    "When the last scan returned; before the first one, when the probe began (Unix time).",
)
INTERVAL = Gauge("scintiflow_probe_interval_seconds", "Time between two scans, as configured.")

# What is first seen at 1 has not grown, for Prometheus.
for _outcome in get_args(Outcome):
    ROUNDS.labels(_outcome)


def begin(interval: float) -> None:
    """Show what is expected: a scan every `interval` seconds."""
    INTERVAL.set(interval)
    RETURNED.set_to_current_time()


def count_round(outcome: Outcome, seconds: float) -> None:
    """Count one scan, and what it took until it returned."""
    ROUNDS.labels(outcome).inc()
    if outcome == "returned":
        ROUND_SECONDS.observe(seconds)
        RETURNED.set_to_current_time()
