"""`python -m scintiflow.probe`: send a synthetic scan round the line at every interval."""

from scintiflow.config import PROBE_TITLE, Deployment
from scintiflow.errors import Refused
from scintiflow.lifetime import die_with_parent, until_stopped
from scintiflow.probe import metrics
from scintiflow.probe.go_round import Probe
from scintiflow.probe.returns import Returns
from scintiflow.probe.settings import ProbeSettings
from scintiflow.telemetry import configure_logging, serve_probes

_FIRST_AFTER_SECONDS = 10.0  # the line may just be starting


def main() -> None:
    """Load settings, listen for results, go round until stopped."""
    die_with_parent()
    stopped = until_stopped()
    deployment, settings = Deployment(), ProbeSettings()
    configure_logging("probe", deployment.log_format)
    interval = deployment.probe_interval_seconds
    if interval is None:
        raise Refused("Say how often the probe goes round: SCINTIFLOW_PROBE_INTERVAL_SECONDS=300")
    metrics.begin(interval)
    returns = Returns(PROBE_TITLE, settings.listen, deployment.port("probe_dicom"))
    probe = Probe(
        settings.receiver, deployment.port("dicom"), settings.called, returns, patience=settings.patience_seconds
    )
    server = serve_probes(deployment.port("probe"), probe.trouble)
    wait = min(_FIRST_AFTER_SECONDS, interval)
    while not stopped.wait(wait):
        probe.go_round()
        wait = interval
    returns.close()
    server.shutdown()


if __name__ == "__main__":
    main()
