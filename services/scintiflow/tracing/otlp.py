"""OpenTelemetry's SDK behind the spans of the line: batches to an OTLP endpoint, from a thread of its own.

An endpoint that hangs or refuses costs nobody but itself: spans wait in a queue of bounded length, what does not fit
is dropped, and a stop waits for a moment only. Loaded only where an endpoint is configured.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from scintiflow import __version__
from scintiflow.tracing.place import Place
from scintiflow.tracing.spans import Span

_SEND_AFTER_MILLISECONDS = 1000
_LAST_WORDS_SECONDS = 1.0
_COMPLAIN_SECONDS = 60.0
_KINDS = {
    "receive": SpanKind.SERVER,
    "read": SpanKind.CONSUMER,
    "classify": SpanKind.CLIENT,
    "infer": SpanKind.SERVER,
    "deliver attempt": SpanKind.CLIENT,
}


def exporting(process: str) -> Callable[[Span], None]:
    """Return what takes the spans of `process`, whoever calls it; it never waits and never raises."""
    _let_the_sdk_complain_seldom()
    named = {"service.namespace": "scintiflow", "service.name": process, "service.version": __version__}
    ids = _Ids()
    provider = TracerProvider(resource=Resource.create(named), id_generator=ids, shutdown_on_exit=False)
    processor = BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=_SEND_AFTER_MILLISECONDS)
    provider.add_span_processor(processor)
    atexit.register(_say_last_words, processor)
    tracer = provider.get_tracer("scintiflow", __version__)

    def export(span: Span) -> None:
        ids.next = span.at
        started = tracer.start_span(
            span.name,
            _below(span.parent),
            _KINDS.get(span.name, SpanKind.INTERNAL),
            dict(span.facts),
            start_time=_nanoseconds(span.begun),
        )
        if span.failure:
            started.set_status(Status(StatusCode.ERROR, span.failure))
        started.end(_nanoseconds(span.ended))

    return export


class _Ids(IdGenerator, threading.local):
    """Gives a span the ids that the line knows it by; each thread has its own next one."""

    next: Place

    def generate_span_id(self) -> int:
        return int(self.next.span, 16)

    def generate_trace_id(self) -> int:
        return int(self.next.trace, 16)


class _Complaints(logging.Handler):
    """Says once a minute at most, in our own log, that spans do not get through."""

    _quiet_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + _COMPLAIN_SECONDS
            structlog.get_logger().warning("spans do not reach the OTLP endpoint; the line goes on without")


def _let_the_sdk_complain_seldom() -> None:
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logger.addHandler(_Complaints())


def _below(parent: Place | None) -> Context:
    if parent is None:
        return Context()
    context = SpanContext(int(parent.trace, 16), int(parent.span, 16), is_remote=True, trace_flags=TraceFlags(1))
    return set_span_in_context(NonRecordingSpan(context), Context())


def _say_last_words(processor: BatchSpanProcessor) -> None:
    """Send what waits, without holding up our end: the SDK itself would wait for as long as an endpoint hangs."""
    flush = threading.Thread(target=processor.force_flush, name="last spans", daemon=True)
    flush.start()
    flush.join(_LAST_WORDS_SECONDS)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
