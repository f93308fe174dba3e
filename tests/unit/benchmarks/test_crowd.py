"""A crowd that asks at once."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from benchmarks.crowd import ask_at_once

PEOPLE, ANSWERED = 12, 5


class _Answer(BaseHTTPRequestHandler):
    asked = count()
    lock = threading.Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            number = next(self.asked)
        if number == PEOPLE - 1:
            return  # hangs up on the last one
        self.send_response(200 if number < ANSWERED else 429)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers five."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_each_asks_once_and_tells_what_it_got(port: int) -> None:
    """Answers, refusals and a connection that breaks are told apart, each with its own time."""
    replies = ask_at_once(port, "/infer", b"scan", {"Content-Type": "application/octet-stream"}, people=PEOPLE)
    statuses = sorted(reply.status for reply in replies)
    assert statuses == [0] + [200] * ANSWERED + [429] * (PEOPLE - ANSWERED - 1)
    assert all(reply.seconds > 0 for reply in replies)
