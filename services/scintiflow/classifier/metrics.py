"""What the classifier exports. Labels are names from manifests and from our own tables, never from a request."""

from prometheus_client import Counter, Gauge, Histogram

from scintiflow.inference.batcher import BatchRan
from scintiflow.inference.manifest import Manifest
from scintiflow.inference.session import EngineFacts

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("scintiflow_classifier_requests", "Requests answered, by what became of them.", ["call", "outcome"])
QUEUE_SECONDS = Histogram(
    "scintiflow_classifier_queue_seconds",
    "Seconds a request waited for the engine, by its priority.",
    ["model", "lane"],
    buckets=_SECONDS,
)
INFERENCE_SECONDS = Histogram(
    "scintiflow_classifier_inference_seconds",
    "Seconds the engine took for a batch.",
    ["model", "engine", "precision"],
    buckets=_SECONDS,
)
BATCH_ROWS = Histogram(
    "scintiflow_classifier_batch_rows", "Scans in a batch.", ["model"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
ENGINE_INFO = Gauge(
    "scintiflow_classifier_engine_info",
    "1 for what really runs a model.",
    ["model", "version", "digest", "engine", "precision", "device"],
)
ENGINE_NODES = Gauge(
    "scintiflow_classifier_engine_nodes",
    "Nodes of a model's graph by the ONNX Runtime provider that runs them.",
    ["model", "provider"],
)
ENGINE_STANDS_IN = Gauge(
    "scintiflow_classifier_engine_stands_in",
    "1 if a model runs on another device than the one configured, else 0.",
    ["model"],
)
GOLDEN_GATE = Gauge(
    "scintiflow_classifier_golden_gate", "1 if the engine reproduced the model's golden outputs, else 0.", ["model"]
)


def count_engine(manifest: Manifest, facts: EngineFacts) -> None:
    """Show what runs a model that passed its golden gate."""
    labels = (manifest.name, manifest.version, manifest.digest, facts.engine, facts.precision, facts.device)
    ENGINE_INFO.labels(*labels).set(1)
    for provider, nodes in facts.nodes.items():
        ENGINE_NODES.labels(manifest.name, provider).set(nodes)
    ENGINE_STANDS_IN.labels(manifest.name).set(facts.stands_in)
    GOLDEN_GATE.labels(manifest.name).set(1)


def count_batch(model: str, facts: EngineFacts, ran: BatchRan) -> None:
    """Count one call of the engine."""
    BATCH_ROWS.labels(model).observe(ran.rows)
    INFERENCE_SECONDS.labels(model, facts.engine, facts.precision).observe(ran.ran)
    for lane, waited in ran.waited:
        QUEUE_SECONDS.labels(model, lane).observe(waited)
