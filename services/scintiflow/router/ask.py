"""One question to the classifier over HTTP, and its whole answer within a bound of time and of size."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from httpcore import NetworkStream

from scintiflow.deadline import Deadline
from scintiflow.errors import Failed, Unavailable
from scintiflow.tracing import traceparent

_ABOUT_THE_QUESTION = {400, 413, 415, 422}
_LARGEST_ANSWER = 16 << 20


@dataclass(frozen=True)
class Answer:
    """What the classifier answered."""

    headers: Mapping[str, str]
    body: bytes


def ask(classifier: httpx.Client, method: str, path: str, **request: Any) -> Answer:
    """Ask one thing, on a connection of its own; the client's read time-out bounds the whole answer.

    Raises:
        Unavailable: the classifier is away, in trouble, too slow, or says more than an answer holds.
        Failed: it finds fault with the question itself.
    """
    with Deadline(classifier.timeout.read or threading.TIMEOUT_MAX) as deadline:

        def opened(event: str, info: Mapping[str, Any]) -> None:
            stream = info.get("return_value")
            if isinstance(stream, NetworkStream):
                deadline.watch(stream.get_extra_info("socket"))

        headers = {"Connection": "close", "Accept-Encoding": "identity", **traceparent(), **request.pop("headers", {})}
        try:
            with classifier.stream(method, path, headers=headers, extensions={"trace": opened}, **request) as response:
                _require_ok(response.status_code)
                return Answer(response.headers, _whole(response))
        except httpx.HTTPError as error:
            raise Unavailable(f"The classifier does not answer ({type(error).__name__}).") from error


def _require_ok(status: int) -> None:
    """Blame no study for a status that is not about the question: models come and go, and so do gateways."""
    if status in _ABOUT_THE_QUESTION:
        raise Failed(f"The classifier refuses the question (HTTP {status}).")
    if status != httpx.codes.OK:
        raise Unavailable(f"The classifier cannot answer now (HTTP {status}).")


def _whole(response: httpx.Response) -> bytes:
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > _LARGEST_ANSWER:
            raise Unavailable(f"The classifier's answer is longer than {_LARGEST_ANSWER >> 20} MiB.")
    return bytes(body)
