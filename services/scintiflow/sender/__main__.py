"""`python -m scintiflow.sender`: deliver results, one queue and one thread a destination."""

import socket
import threading

from scintiflow.clock import Clock
from scintiflow.config import Deployment, Destination
from scintiflow.dicom.privacy import log_names
from scintiflow.lifetime import die_with_parent, until_stopped
from scintiflow.records import study_of
from scintiflow.sender import metrics
from scintiflow.sender.deliver import Sender
from scintiflow.sender.settings import SenderSettings
from scintiflow.store import Store
from scintiflow.stream import Stream, Work, backoff, connect, consume
from scintiflow.telemetry import configure_logging, serve_probes
from scintiflow.tracing import open_tracing


def main() -> None:
    """Load settings, open resources, consume for each destination."""
    die_with_parent()
    stopped = until_stopped()
    deployment, settings = Deployment(), SenderSettings()
    configure_logging("sender", deployment.log_format)
    redis, store = connect(deployment.redis()), Store(deployment.data)
    tracing = open_tracing("sender", deployment.otlp_endpoint, store)

    def work(destination: Destination) -> Work:
        sender = Sender(
            store,
            destination,
            settings.ae_title,
            timeout=settings.timeout_seconds,
            slowest_bytes_per_second=settings.slowest_bytes_per_second,
            give_up_days=settings.give_up_days,
            clock=Clock(store),
            tracing=tracing,
        )
        first, cap = settings.retry_first_seconds, settings.retry_cap_seconds
        queue = Stream(redis, f"results:{destination.name}")
        return Work(
            queue,
            sender.deliver,
            sender.park,
            lambda retries: backoff(retries, first, cap),
            lambda delivery: log_names(store.salt, study_of(delivery.key)),
        )

    worker = socket.gethostname()
    destinations = deployment.rules().destinations
    works = [work(destination) for destination in destinations]
    metrics.expect(destinations)

    def deliver(work: Work) -> None:
        try:
            consume(work, worker, 1, stopped)
        finally:
            stopped.set()  # a queue that nobody works on must not go unnoticed: start anew

    threads = [threading.Thread(target=deliver, args=(each,)) for each in works]
    serve_probes(deployment.port("sender"), Stream(redis, "ready").trouble)
    for thread in threads:
        thread.start()
    stopped.wait()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
