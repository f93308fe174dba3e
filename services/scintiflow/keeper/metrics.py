"""What the keeper exports."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from scintiflow.keeper.punctuality import VERDICTS, Verdict
from scintiflow.telemetry import LATENCY_BUCKETS

DECISIONS = Counter(
    "scintiflow_keeper_decisions", "Decisions about studies: selected, unchanged, declined, parked.", ["event"]
)
GATHER_SECONDS = Histogram(
    "scintiflow_keeper_gather_seconds",
    "From the last needed object on disk to the study being ready.",
    buckets=LATENCY_BUCKETS,
)
STUDIES = Gauge("scintiflow_keeper_studies", "Studies on disk by state.", ["state"])
PARKED = Gauge("scintiflow_keeper_parked", "Studies that need a person, and still have what it takes to help them.")
RESULTS_DUE = Counter(
    "scintiflow_keeper_results_due",
    "Studies whose results were due at a destination, by whether they were there: in_time, late (or never).",
    ["destination", "outcome"],
)
QUEUE_WAITING = Gauge(
    "scintiflow_keeper_queue_waiting", "Work that nobody has taken yet: the lag of the queue.", ["queue"]
)
QUEUE_LEASED = Gauge("scintiflow_keeper_queue_leased", "Work in somebody's hands.", ["queue"])
QUEUE_LATER = Gauge("scintiflow_keeper_queue_later", "Work that waits for a retry.", ["queue"])
QUEUE_OLDEST_SECONDS = Gauge("scintiflow_keeper_queue_oldest_seconds", "Age of the oldest entry.", ["queue"])
ACTIVE = Gauge("scintiflow_keeper_active", "1 when this keeper holds the lease.")
EXPIRED = Counter("scintiflow_keeper_expired", "Studies whose objects retention removed.", ["state"])
FREE_BYTES = Gauge("scintiflow_keeper_disk_free_bytes", "Free space under DATA.")
WANTED_BYTES = Gauge(
    "scintiflow_keeper_disk_wanted_bytes", "Below this much free space the oldest delivered studies go early."
)
SWEPT = Gauge(
    "scintiflow_keeper_swept_timestamp_seconds", "When this keeper last compared the disk with the queues (Unix time)."
)


def expect(destinations: Iterable[str]) -> None:
    """Show these destinations from the start: what is first seen at 1 has not grown, for Prometheus."""
    for destination in destinations:
        for outcome in VERDICTS:
            RESULTS_DUE.labels(destination, outcome)


def count_due(destination: str, verdict: Verdict) -> None:
    """Count a study whose results were due at a destination."""
    RESULTS_DUE.labels(destination, verdict).inc()
