"""A crowd that asks at the same moment, each once: what a server does with a burst."""

import http.client
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Reply:
    """What one of the crowd got: a status, 0 where the connection broke, and when, in seconds from the start."""

    status: int
    seconds: float


def ask_at_once(port: int, path: str, body: bytes, headers: Mapping[str, str], *, people: int) -> list[Reply]:
    """Let so many people connect, then all post at once; nobody asks again. Return what each got."""
    start = threading.Barrier(people)

    def ask() -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
        connection.connect()
        start.wait()
        began = time.perf_counter()
        status = _status(connection, path, body, headers)
        connection.close()
        return Reply(status, time.perf_counter() - began)

    with ThreadPoolExecutor(people) as crowd:
        return [asked.result() for asked in [crowd.submit(ask) for _ in range(people)]]


def _status(connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    try:
        connection.request("POST", path, body, dict(headers))
        with connection.getresponse() as response:
            response.read()
            return response.status
    except (OSError, http.client.HTTPException):
        return 0
