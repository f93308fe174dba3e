"""Who may reach whom: nothing, but for what a policy lets through."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.manifests import OVERLAYS, TRACED, Manifest, Overlay, render, selects

SERVICES = Path(__file__).parents[3] / "services/scintiflow"


def policies(overlay: Overlay) -> dict[str, Manifest]:
    """Return its network policies by name."""
    return {each["metadata"]["name"]: each["spec"] for each in overlay.of("NetworkPolicy")}


def test_nothing_is_let_through_by_default(overlay: Overlay) -> None:
    """One policy takes every pod, in both directions, and lets nothing through; beside it only DNS is for all."""
    found = policies(overlay)
    assert found["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert {name for name, spec in found.items() if not spec["podSelector"]} == {"default-deny", "names"}


def test_spans_have_a_way_out_to_the_collector_alone(kubectl: str) -> None:
    """The component `tracing` names an endpoint, lets pods out to its port, and opens nothing else."""
    traced, plain = render(TRACED, kubectl), render(OVERLAYS[0], kubectl)
    found = policies(traced)
    spec = found.pop("traces")
    assert found == policies(plain)
    endpoint = urlsplit(traced.settings("environment")["OTEL_EXPORTER_OTLP_ENDPOINT"])
    (way,) = spec["egress"]
    assert way["ports"] == [{"protocol": "TCP", "port": endpoint.port}]
    (to,) = way["to"]
    service, namespace = str(endpoint.hostname).split(".")
    assert to["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    assert to["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": service}}
    assert spec["policyTypes"] == ["Egress"]


def test_whoever_makes_spans_is_let_out(kubectl: str) -> None:
    """The policy takes the pods of each process whose code opens tracing, and of no other."""
    traced = render(TRACED, kubectl)
    selector = policies(traced)["traces"]["podSelector"]
    let_out = {name for name, each in traced.workloads.items() if selects(selector, labels(each))}
    spans = {path.parent.name for path in SERVICES.glob("*/*.py") if "open_tracing(" in path.read_text()}
    assert let_out == spans - {"tracing"}


def labels(workload: Manifest) -> Manifest:
    """Return the labels of a workload's pods."""
    found: Manifest = workload["spec"]["template"]["metadata"]["labels"]
    return found
