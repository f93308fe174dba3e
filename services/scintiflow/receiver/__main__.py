"""`python -m scintiflow.receiver`: the DICOM port, served by several listener processes."""

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from scintiflow.config import Deployment
from scintiflow.lifetime import die_with_parent, temporary_folder, until_stopped
from scintiflow.receiver.allowlist import who_may_send
from scintiflow.receiver.crew import Crew, listen, readiness
from scintiflow.receiver.settings import Settings
from scintiflow.telemetry import configure_logging, serve_probes

_MEMORY = "/dev/shm"
"""Where listeners count, in files mapped to memory: on a disk that is full, counting would kill them (SIGBUS)."""


def main() -> None:
    """Load settings, listen, keep the listeners at work."""
    die_with_parent()
    stopped = until_stopped()
    deployment, settings = Deployment(), Settings()
    configure_logging("receiver", deployment.log_format)
    allow = deployment.rules().allow
    structlog.get_logger().info(who_may_send(allow), ae_title=settings.ae_title, port=deployment.port("dicom"))
    with (
        temporary_folder("scintiflow-receiver-", _MEMORY) as metrics,
        listen(settings.host, deployment.port("dicom")) as listening,
    ):
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(metrics))
        crew = Crew(listening, settings.listeners, metrics)
        serve_probes(deployment.port("receiver"), lambda: readiness(registry), registry)
        crew.work(stopped)
        crew.stop(settings.drain_seconds)


if __name__ == "__main__":
    main()
