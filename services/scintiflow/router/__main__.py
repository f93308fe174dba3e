"""`python -m scintiflow.router`: read ready studies."""

import socket

from scintiflow.config import Deployment
from scintiflow.decode import warm
from scintiflow.dicom.privacy import log_names
from scintiflow.lifetime import die_with_parent, until_stopped
from scintiflow.memory import keep_freed
from scintiflow.records import study_of
from scintiflow.router.ask import classifier_at
from scintiflow.router.read import Router
from scintiflow.router.settings import RouterSettings
from scintiflow.store import Store
from scintiflow.stream import Stream, Work, backoff, connect, consume
from scintiflow.telemetry import configure_logging, serve_probes
from scintiflow.tracing import open_tracing


def main() -> None:
    """Load settings, open resources, consume."""
    die_with_parent()
    keep_freed()
    stopped = until_stopped()
    deployment, settings = Deployment(), RouterSettings()
    configure_logging("router", deployment.log_format)
    configuration = deployment.rules()
    redis = connect(deployment.redis())
    url = settings.classifier_url or f"http://127.0.0.1:{deployment.port('classifier')}"
    store = Store(deployment.data)
    router = Router(
        store=store,
        classifier=classifier_at(url, settings.classifier_timeout_seconds),
        configuration=configuration,
        results={name: Stream(redis, f"results:{name}") for name in configuration.destination},
        tracing=open_tracing("router", deployment.otlp_endpoint, store),
    )
    work = Work(
        Stream(redis, "ready"),
        router.read,
        router.park,
        lambda retries: backoff(retries, first=1, cap=30),
        lambda delivery: log_names(store.salt, study_of(delivery.key)),
    )
    warm()
    serve_probes(deployment.port("router"), work.stream.trouble)
    consume(work, socket.gethostname(), settings.studies_at_once, stopped)


if __name__ == "__main__":
    main()
