"""Every series that the processes export, read from the code that exports them, and every label that they may have."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import get_args

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, Histogram
from prometheus_client.metrics import MetricWrapperBase

from scintiflow.classifier import metrics as classifier
from scintiflow.inference.manifest import Precision
from scintiflow.keeper import metrics as keeper
from scintiflow.probe import metrics as probe
from scintiflow.receiver import metrics as receiver
from scintiflow.router import metrics as router
from scintiflow.sender import metrics as sender
from scintiflow.serving.gpus import Gpus
from scintiflow.synthesizer import metrics as synthesizer

PROCESSES: dict[str, ModuleType] = {
    "receiver": receiver,
    "keeper": keeper,
    "router": router,
    "classifier": classifier,
    "sender": sender,
    "synthesizer": synthesizer,
    "probe": probe,
}


@dataclass(frozen=True)
class Family:
    """One metric: its name as Prometheus shows it, its labels, and what a person reads of it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series."""
        if self.kind != "histogram":
            return (self.name,)
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))


@dataclass(frozen=True)
class Label:
    """What a label may say: in words, and as a pattern for the whole value."""

    meaning: str
    pattern: str

    def allows(self, value: str) -> bool:
        """Tell whether it may say this."""
        return re.fullmatch(self.pattern, value) is not None


_WORD = r"[a-z][a-z_]*"
_NAME = r"[a-z0-9][a-z0-9_-]{0,31}"
_PRECISIONS = [each for each in get_args(Precision) if each != "auto"]

LABELS: dict[str, Label] = {
    "answer": Label("`positive` or `negative`", "positive|negative"),
    "call": Label("a route of ours; every path that a stranger invents is `unknown`", _WORD),
    "destination": Label("a name in `scintiflow.toml`", _NAME),
    "device": Label("`CPU`, or the name of the GPU", r"[\w .()/+-]{1,80}"),
    "digest": Label("SHA-256 of the model's graph", "[0-9a-f]{64}"),
    "engine": Label("the engine with its version", r"(openvino|onnxruntime) [\w.+ ()-]{1,80}"),
    "event": Label("what the keeper decided", _WORD),
    "gpu": Label("the number of the GPU on its machine", r"\d{1,3}"),
    "label": Label("what a synthetic scan was asked to show", _WORD),
    "lane": Label("`interactive` (somebody waits) or `bulk`", "interactive|bulk"),
    "model": Label("the name of a model folder", _NAME),
    "outcome": Label("what became of it; each metric lists its own", _WORD),
    "precision": Label("one of " + ", ".join(f"`{each}`" for each in _PRECISIONS), "|".join(_PRECISIONS)),
    "product": Label("what NVIDIA calls the GPU", r"[\w .()/+-]{1,80}"),
    "provider": Label("an execution provider of ONNX Runtime", r"[A-Za-z]+"),
    "queue": Label("`events`, `ready`, or `results:` and a destination", rf"events|ready|results:{_NAME}"),
    "reason": Label("why; each metric lists its own", _WORD),
    "stage": Label("a stage of the router", _WORD),
    "state": Label("the state of a study, as `scintiflow studies` shows it", _WORD),
    "status": Label("the status of a finding", _WORD),
    "synthetic": Label("`yes` where the scan says Synthetic Data (0008,001C) = YES", "yes|no"),
    "tracer": Label("`bone`, `pyrophosphate` or `unknown`", "bone|pyrophosphate|unknown"),
    "uuid": Label("NVML's name of one GPU", r"GPU-[0-9a-f-]{8,40}"),
    "version": Label("the version of a model", r"\d+\.\d+\.\d+([a-z+-][\w+-]{0,20})?"),
}
"""None of them can hold a UID, a name, a patient's identifier or a calling AE title."""


def families(process: str) -> list[Family]:
    """Return what one process counts, by name."""
    found = [_family(metric) for metric in vars(PROCESSES[process]).values() if isinstance(metric, MetricWrapperBase)]
    return sorted(found, key=lambda family: family.name)


def gpu_families() -> list[Family]:
    """Return what a service says of the GPUs of its machine, by name."""
    found = [
        Family(_shown(family.name, family.type), family.type, tuple(family._labelnames), family.documentation)
        for family in Gpus().describe()
    ]
    return sorted(found, key=lambda family: family.name)


def runtime_families() -> list[Family]:
    """Return what prometheus_client says of any Python process, by name."""
    collected = [
        family for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR) for family in collector.collect()
    ]
    return sorted(
        (Family(_shown(family.name, family.type), family.type, (), family.documentation) for family in collected),
        key=lambda family: family.name,
    )


def everything() -> Iterator[Family]:
    """Yield every family that any process exports."""
    for process in PROCESSES:
        yield from families(process)
    yield from gpu_families()
    yield from runtime_families()


def page() -> str:
    """Return METRICS.md."""
    return "\n".join(
        [_INTRODUCTION, *_process_parts(), _GPU, _table(gpu_families()), "", _RUNTIME, *_names(), "", _labels()]
    )


def _family(metric: MetricWrapperBase) -> Family:
    (described,) = metric.describe()
    buckets = tuple(metric._upper_bounds[:-1]) if isinstance(metric, Histogram) else ()
    name = _shown(described.name, described.type)
    return Family(name, described.type, tuple(metric._labelnames), described.documentation, buckets)


def _shown(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


def _process_parts() -> Iterator[str]:
    for process in PROCESSES:
        yield f"## {process}\n"
        yield _table(families(process))
        yield ""


def _table(rows: Iterable[Family]) -> str:
    lines = [
        f"| `{row.name}` | {row.kind}{_range(row.buckets)} | {', '.join(row.labels)} | {row.help} |" for row in rows
    ]
    return "\n".join(["| name | kind | labels | what it says |", "|---|---|---|---|", *lines])


def _range(buckets: tuple[float, ...]) -> str:
    return f", {len(buckets)} buckets from {buckets[0]:g} to {buckets[-1]:g}" if buckets else ""


def _names() -> Iterator[str]:
    yield ", ".join(f"`{family.name}`" for family in runtime_families()) + "."


def _labels() -> str:
    rows = [f"| `{name}` | {label.meaning} |" for name, label in LABELS.items()]
    return "\n".join(["## Labels\n", "| label | what it may say |", "|---|---|", *rows, ""])


_INTRODUCTION = """# Metrics

Written by `make monitoring` from the code; a test fails where this page and the code differ.

One quantity a name, in base units (seconds, bytes, ratios from 0 to 1, watts, joules); counters end in `_total`. The
prefix is the process that exports. Labels are bounded: they say what is in the tables below, and never a UID, a name, a
patient's identifier or a calling AE title. Every process answers `/metrics`: receiver 9101, router 9102, sender 9103,
keeper 9104, probe 9105, classifier 3000, synthesizer 3001. Studies that the probe sent count in its own metrics, in
those of objects, associations and stages, and under the destination `probe`; in no other.

The way of a study, stage by stage: `scintiflow_receiver_store_seconds`, `scintiflow_keeper_gather_seconds`,
`scintiflow_router_stage_seconds` (wait, decode, classify, encode), `scintiflow_sender_deliver_seconds`; all of it, from
the last needed object on disk to the last result acknowledged: `scintiflow_sender_end_to_end_seconds`. Of several
keepers one is active, and the others' gauges are old: ask `scintiflow_keeper_active == 1` beside them.
"""
_GPU = """## GPUs

The classifier and the synthesizer say this of every NVIDIA GPU of their machine, from NVML; without a driver nothing
of it is there. Where DCGM's exporter runs too, [rules.yml](rules.yml) takes its figures for what NVML does not tell.
"""
_RUNTIME = """## Every process but the receiver

From prometheus_client, about the process itself (the receiver's listeners count into shared files, which leave it out):
"""
