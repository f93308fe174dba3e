"""What a process tells the outside: log lines, and /metrics, /livez and /readyz over HTTP."""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

disable_created_metrics()  # or every counter and histogram comes with a series that nobody asks for

Readiness = Callable[[], str | None]
"""Returns why a process is not ready, as a sentence, or None when it is."""

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Seconds; wide enough for one stage and for the whole way from the last object to the result."""


def configure_logging(process: str, form: Literal["text", "json"] = "text") -> None:
    """Send one line an event to standard error, each naming `process`; control characters are escaped.

    As JSON, times are UTC and a line about a study names its trace too; a person who reads text finds it without.
    """
    render: tuple[structlog.types.Processor, ...] = (
        (structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer())
        if form == "json"
        else (
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S"),
            _without_trace,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0),
        )
    )
    structlog.configure(
        processors=[
            lambda _, __, event: {"process": process, **event},
            structlog.processors.add_log_level,
            structlog.processors.ExceptionRenderer(_without_message),
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _without_trace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.pop("trace_id", None)
    return event


def _without_message(exc_info: structlog.typing.ExcInfo) -> str:
    """Return where an exception was raised, and its type; its message may quote a patient's name."""
    kind, _, trace = exc_info
    return "".join((*traceback.format_tb(trace), kind.__name__))


def serve_probes(port: int, readiness: Readiness, registry: CollectorRegistry = REGISTRY) -> ThreadingHTTPServer:
    """Serve /metrics, /livez and /readyz on every address in a daemon thread.

    /readyz answers 200 `{"ready": true, "reason": null}`, or 503 with the reason.
    """

    class Probe(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry))
                case "/livez":
                    self._answer(HTTPStatus.OK, "application/json", b'{"alive": true}')
                case "/readyz":
                    reason = readiness()
                    body = json.dumps({"ready": reason is None, "reason": reason}).encode()
                    ready = HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE
                    self._answer(ready, "application/json", body)
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"try /metrics, /livez or /readyz\n")

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no event."""

    server = ThreadingHTTPServer(("", port), Probe)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server
