"""A collector of traces: a real OTLP/HTTP endpoint that keeps what it is told, or never answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Told:
    """One span, and the process that told it."""

    process: str
    span: Span

    @property
    def facts(self) -> dict[str, str | int]:
        """Its attributes."""
        values = {each.key: each.value for each in self.span.attributes}
        return {key: value.string_value or value.int_value for key, value in values.items()}


@dataclass
class Collector:
    """What an endpoint was told."""

    endpoint: str
    asked: threading.Event
    """Set when the first request has come."""
    _told: list[Told] = field(default_factory=list)

    def spans(self, trace: str) -> list[Told]:
        """Return the spans of one trace, in the order in which they began."""
        found = [told for told in list(self._told) if told.span.trace_id.hex() == trace]
        return sorted(found, key=lambda told: told.span.start_time_unix_nano)

    def everything(self) -> bytes:
        """Return all that was told, as it came, but for times and ids."""
        return b"\n".join(told.process.encode() + told.span.SerializeToString() for told in list(self._told))

    def take(self, body: bytes) -> None:
        """Read one request."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self._told += [Told(named["service.name"], span) for span in scope.spans]


@contextmanager
def collecting(*, hangs: bool = False) -> Iterator[Collector]:
    """Run an OTLP endpoint; one that hangs reads what it is sent and answers when the block is over."""
    over = threading.Event()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.asked.set()
            if hangs:
                over.wait()
            elif self.path == "/v1/traces":
                collector.take(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.daemon_threads = True
    collector = Collector(f"http://127.0.0.1:{server.server_port}", threading.Event())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        over.set()
        server.shutdown()
        server.server_close()
