"""What the sender exports."""

from collections.abc import Iterable

from prometheus_client import Counter, Histogram

from scintiflow.config import Destination
from scintiflow.telemetry import LATENCY_BUCKETS

_OUTCOMES = ("delivered", "refused", "parked")

RESULTS = Counter(
    "scintiflow_sender_results",
    "Results, by what became of sending them: delivered, refused, parked.",
    ["destination", "outcome"],
)
PUT_OFF = Counter(
    "scintiflow_sender_put_off", "Deliveries put off because the destination was away or busy.", ["destination"]
)
DELIVER_SECONDS = Histogram(
    "scintiflow_sender_deliver_seconds",
    "One association with a destination, from request to release.",
    ["destination"],
    buckets=LATENCY_BUCKETS,
)
END_TO_END_SECONDS = Histogram(
    "scintiflow_sender_end_to_end_seconds",
    "From the last needed object on disk to the last result acknowledged; the probe measures its own.",
    ["destination"],
    buckets=LATENCY_BUCKETS,
)


def expect(destinations: Iterable[Destination]) -> None:
    """Show these destinations from the start: what is first seen at 1 has not grown, for Prometheus."""
    for destination in destinations:
        for metric in (PUT_OFF, DELIVER_SECONDS, *(() if destination.probe else (END_TO_END_SECONDS,))):
            metric.labels(destination.name)
        for outcome in _OUTCOMES:
            RESULTS.labels(destination.name, outcome)
