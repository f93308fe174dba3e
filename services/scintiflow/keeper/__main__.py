"""`python -m scintiflow.keeper`: gather studies, keep deadlines, rebuild what Redis lost."""

import socket

from scintiflow.clock import Clock
from scintiflow.config import Deployment
from scintiflow.keeper import metrics
from scintiflow.keeper.deadlines import Deadlines
from scintiflow.keeper.keep import Keeper
from scintiflow.keeper.lease import Lease
from scintiflow.keeper.punctuality import Punctuality
from scintiflow.keeper.settings import KeeperSettings
from scintiflow.lifetime import die_with_parent, until_stopped
from scintiflow.store import Store
from scintiflow.stream import Stream, connect
from scintiflow.telemetry import configure_logging, serve_probes
from scintiflow.tracing import open_tracing


def main() -> None:
    """Load settings, open resources, keep."""
    die_with_parent()
    stopped = until_stopped()
    deployment, settings = Deployment(), KeeperSettings()
    configure_logging("keeper", deployment.log_format)
    destinations = deployment.rules().destinations
    redis = connect(deployment.redis())
    deployment.data.mkdir(parents=True, exist_ok=True)
    store = Store(deployment.data)
    keeper = Keeper(
        store=store,
        events=Stream(redis, "events"),
        ready=Stream(redis, "ready"),
        results={destination.name: Stream(redis, f"results:{destination.name}") for destination in destinations},
        deadlines=Deadlines(redis),
        lease=Lease(redis),
        settings=settings,
        clock=Clock(store),
        punctuality=Punctuality(destinations, settings.result_seconds),
        tracing=open_tracing("keeper", deployment.otlp_endpoint, store),
    )
    metrics.expect(destination.name for destination in destinations if not destination.probe)
    serve_probes(deployment.port("keeper"), keeper.readiness)
    keeper.keep(socket.gethostname(), stopped)


if __name__ == "__main__":
    main()
