"""Spans of a study's way over the line, told to an OTLP endpoint where one is configured.

All ids follow from the study's reference (`dicom.privacy`): it is the id of the trace, and a digest of it with what was
done is the id of a span. So nothing is carried from process to process, and who takes work over after a crash, or
delivers it in the morning, goes on in the same trace. What takes long, as `read` and `deliver`, is told by whoever
brings it to its end; each attempt at it is a span inside::

    study
    +-- receive                      one an object
    +-- gather                       one a revision
        +-- read
            +-- read attempt
            |   +-- decode, encode
            |   +-- classify
            |       +-- infer        the classifier's
            +-- deliver              one a destination
                +-- deliver attempt

Nothing in a span comes out of a DICOM file. Without an endpoint OpenTelemetry is not even loaded.
"""

import structlog

from scintiflow.store import Store
from scintiflow.tracing.place import Place, delivered, gathered, read, received, whole
from scintiflow.tracing.spans import NOWHERE, Fact, Tracing, traceparent

__all__ = [
    "NOWHERE",
    "Fact",
    "Place",
    "Tracing",
    "delivered",
    "gathered",
    "open_tracing",
    "read",
    "received",
    "traceparent",
    "whole",
]


def open_tracing(process: str, endpoint: str | None, store: Store | None = None) -> Tracing:
    """Return where the spans of `process` go: to the OTLP endpoint, or nowhere without one.

    OpenTelemetry's exporter reads the endpoint, and how to get there, from its own environment variables. A process
    without a `store` knows no studies, and only goes on in the traces of others.
    """
    if not endpoint:  # empty is unset, as everywhere in OpenTelemetry
        return NOWHERE
    try:
        from scintiflow.tracing.otlp import exporting
    except ImportError:
        structlog.get_logger().warning("traces are asked for, but not installed; install the extra `tracing`")
        return NOWHERE
    return Tracing(exporting(process), store.salt if store else b"")
