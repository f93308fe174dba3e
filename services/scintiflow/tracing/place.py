"""Where a span stands: its trace and its id, both known to whoever knows the study and what is done."""

import re
from dataclasses import dataclass
from hashlib import sha256

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")

Step = tuple[str, ...]
"""What is done with a study: the name of its span, then what tells it from others of this name."""


def whole() -> Step:
    """The study, from its first object until it is first decided about; all its spans are below."""
    return ("study",)


def received(digest: str) -> Step:
    """One object became durable."""
    return ("receive", digest)


def gathered(revision: int) -> Step:
    """Its views were selected."""
    return ("gather", str(revision))


def read(revision: int) -> Step:
    """A revision was read, from being ready until results are on disk, whatever the number of attempts."""
    return ("read", str(revision))


def delivered(revision: int, destination: str) -> Step:
    """Results of a revision were delivered, from being ready until they are acknowledged."""
    return ("deliver", str(revision), destination)


@dataclass(frozen=True)
class Place:
    """One span, by its ids in hex: 32 digits of the trace, 16 of its own."""

    trace: str
    span: str

    @property
    def traceparent(self) -> str:
        """The HTTP header that lets the other side go on from here (W3C Trace Context)."""
        return f"00-{self.trace}-{self.span}-01"


def place(trace: str, step: Step) -> Place:
    """Return where a step of a study stands in the study's trace."""
    return Place(trace, sha256("\n".join((trace, *step)).encode()).hexdigest()[:16])


def place_in(header: str) -> Place | None:
    """Read a `traceparent`; None where it is none."""
    found = _TRACEPARENT.fullmatch(header)
    return Place(*found.groups()) if found else None
