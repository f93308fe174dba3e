"""What the router exports."""

from prometheus_client import Counter, Histogram

from scintiflow.contracts.v1.finding_pb2 import Finding
from scintiflow.dicom.eligibility import tracer_of
from scintiflow.telemetry import LATENCY_BUCKETS

STAGE_SECONDS = Histogram(
    "scintiflow_router_stage_seconds",
    "Seconds a study spends in one stage: wait (in the queue), decode, classify, encode.",
    ["stage"],
    buckets=LATENCY_BUCKETS,
)
STUDIES = Counter(
    "scintiflow_router_studies",
    "Studies that left the router, by outcome: reported, read, incomplete, declined, parked.",
    ["outcome"],
)
FINDINGS = Counter(
    "scintiflow_router_findings",
    "Findings recorded, by status: assessed, not_assessed, shadow.",
    ["model", "status"],
)
ANSWERS = Counter(
    "scintiflow_router_answers",
    "Answers of a model, positive or negative, by tracer: bone, pyrophosphate, unknown; their share shows drift.",
    ["model", "tracer", "synthetic", "answer"],
)

# What is first seen at 1 has not grown, for Prometheus.
for _outcome in ("reported", "read", "incomplete", "declined", "parked"):
    STUDIES.labels(_outcome)
for _stage in ("wait", "decode", "classify", "encode"):
    STAGE_SECONDS.labels(_stage)


def count_finding(finding: Finding, *, synthetic: bool) -> None:
    """Count a finding of a study that is, or is not, marked as synthetic."""
    FINDINGS.labels(finding.model, Finding.Status.Name(finding.status).removeprefix("STATUS_").lower()).inc()
    if finding.HasField("positive"):
        scan = (finding.model, tracer_of(finding.notes), "yes" if synthetic else "no")
        for answer in ("positive", "negative"):
            ANSWERS.labels(*scan, answer).inc((answer == "positive") == finding.positive)
