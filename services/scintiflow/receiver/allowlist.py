"""Who may send: application entity titles from `scintiflow.toml`, each bound to a host where the file says so."""

import json
import socket
from collections.abc import Collection, Iterable

from scintiflow.config import Allowed


def allows(allowed: Iterable[Allowed], title: str, address: str) -> bool:
    """Tell whether the entity `title` may send from the IP address `address`."""
    return any(entry.ae_title == title and _is_at(entry.host, address) for entry in allowed)


def lines_to_add(title: str, address: str) -> tuple[str, ...]:
    """Return the lines of `scintiflow.toml` that would let `title` send from `address`; a JSON string is a TOML one."""
    return ("[[allow]]", f"ae_title = {json.dumps(title)}", f"host = {json.dumps(address)}")


def who_may_send(allowed: Collection[Allowed]) -> str:
    """Say at start-up who is let in."""
    if not allowed:
        return "nobody may send yet: add [[allow]] tables to scintiflow.toml; a rejected sender's lines will be logged"
    return f"{len(allowed)} application entities may send"


def is_title(text: str) -> bool:
    """Tell whether `text` can be an application entity title (DICOM PS3.5 table 6.2-1, AE)."""
    return text.isascii() and text.isprintable() and "\\" not in text and 0 < len(text) <= 16


def _is_at(host: str | None, address: str) -> bool:
    if host is None or host == address:
        return True
    try:
        return address in {info[4][0] for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):  # nobody of that name, or no name at all
        return False
