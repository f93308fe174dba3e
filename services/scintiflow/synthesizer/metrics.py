"""What the synthesizer exports. Labels are names from the manifest and from our own tables, never from a request."""

from prometheus_client import Counter, Gauge, Histogram

from scintiflow.inference.batcher import BatchRan
from scintiflow.inference.generator_manifest import GeneratorManifest
from scintiflow.inference.session import EngineFacts

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

REQUESTS = Counter("scintiflow_synthesizer_requests", "Requests answered, by what became of them.", ["call", "outcome"])
SCANS = Counter(
    "scintiflow_synthesizer_scans",
    "Scans made, by what was asked for and by lane: interactive, bulk.",
    ["label", "lane"],
)
REDRAWN = Counter("scintiflow_synthesizer_redrawn", "Scans drawn again because they were too close to a training scan.")
BATCHES = Gauge(
    "scintiflow_synthesizer_batches",
    "Unfinished batches on the disk; every replica tells all of them: take the max.",
)
SCANS_LEFT = Gauge(
    "scintiflow_synthesizer_scans_left",
    "Scans of unfinished batches that are still to be made; every replica tells all of them: take the max.",
)
QUEUE_SECONDS = Histogram(
    "scintiflow_synthesizer_queue_seconds",
    "Seconds a scan waited for the engine, by its priority.",
    ["lane"],
    buckets=_SECONDS,
)
INFERENCE_SECONDS = Histogram(
    "scintiflow_synthesizer_inference_seconds",
    "Seconds the engine took for a batch.",
    ["engine", "precision"],
    buckets=_SECONDS,
)
BATCH_ROWS = Histogram("scintiflow_synthesizer_batch_rows", "Scans in a batch.", buckets=(1, 2, 4, 8, 16, 32, 64))
ENGINE_INFO = Gauge(
    "scintiflow_synthesizer_engine_info",
    "1 for what really runs the generator.",
    ["version", "digest", "engine", "precision", "device"],
)
ENGINE_STANDS_IN = Gauge(
    "scintiflow_synthesizer_engine_stands_in",
    "1 if the generator runs on another device than the one configured, else 0.",
)
GOLDEN_GATE = Gauge(
    "scintiflow_synthesizer_golden_gate", "1 if the engine reproduced the generator's golden scans, else 0."
)


def count_engine(manifest: GeneratorManifest, facts: EngineFacts) -> None:
    """Show what runs the generator, which passed its golden gate."""
    ENGINE_INFO.labels(manifest.version, manifest.digest, facts.engine, facts.precision, facts.device).set(1)
    ENGINE_STANDS_IN.set(facts.stands_in)
    GOLDEN_GATE.set(1)


def count_batch(facts: EngineFacts, ran: BatchRan) -> None:
    """Count one call of the engine."""
    BATCH_ROWS.observe(ran.rows)
    INFERENCE_SECONDS.labels(facts.engine, facts.precision).observe(ran.ran)
    for lane, waited in ran.waited:
        QUEUE_SECONDS.labels(lane).observe(waited)
