"""What the keeper exports."""

from prometheus_client import Counter, Gauge, Histogram

from scintiflow.telemetry import LATENCY_BUCKETS

DECISIONS = Counter("scintiflow_keeper_decisions", "Decisions about studies.", ["event"])
GATHER_SECONDS = Histogram(
    "scintiflow_keeper_gather_seconds",
    "From the last needed object on disk to the study being ready.",
    buckets=LATENCY_BUCKETS,
)
STUDIES = Gauge("scintiflow_keeper_studies", "Studies on disk by state.", ["state"])
PARKED = Gauge("scintiflow_keeper_parked", "Studies that need a person.")
QUEUE_WAITING = Gauge("scintiflow_keeper_queue_waiting", "Work that nobody has taken yet.", ["queue"])
QUEUE_LEASED = Gauge("scintiflow_keeper_queue_leased", "Work in somebody's hands.", ["queue"])
QUEUE_LATER = Gauge("scintiflow_keeper_queue_later", "Work that waits for a retry.", ["queue"])
QUEUE_OLDEST_SECONDS = Gauge("scintiflow_keeper_queue_oldest_seconds", "Age of the oldest entry.", ["queue"])
ACTIVE = Gauge("scintiflow_keeper_active", "1 when this keeper holds the lease.")
EXPIRED = Counter("scintiflow_keeper_expired", "Studies whose objects retention removed.", ["state"])
FREE_BYTES = Gauge("scintiflow_keeper_disk_free_bytes", "Free space under DATA.")
