"""One question to the classifier over HTTP, and its whole answer within a bound of time and of size."""

import random
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
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


class Spread(httpx.HTTPTransport):
    """Asks any of those that a host's name stands for, and the next where one takes no connection.

    The C library sorts a name's addresses by nearness (RFC 6724, section 6): whoever takes the first asks one replica
    for ever.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, whose header Host goes on to say the name; so does TLS.

        Raises:
            httpx.HTTPError: nobody takes a connection, or whoever took it gave no answer.
        """
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        *others, last = _addresses(request.url.host)
        for address in others:
            request.url = request.url.copy_with(host=address)
            with suppress(httpx.ConnectError):
                return super().handle_request(request)
        request.url = request.url.copy_with(host=last)
        return super().handle_request(request)


def _addresses(host: str) -> list[str]:
    """Return where a host is, in any order; an address is its own."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(str(error)) from error
    addresses = [str(place[0]) for *_, place in found]
    random.shuffle(addresses)
    return addresses


def classifier_at(url: str, seconds: float) -> httpx.Client:
    """Return a client of the classifiers behind `url`, which gives each answer so many seconds."""
    return httpx.Client(base_url=url, timeout=httpx.Timeout(seconds, connect=2), transport=Spread())


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
