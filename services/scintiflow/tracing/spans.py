"""Spans as the line tells them: of what is over with its times, or of a block while it runs."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from scintiflow.dicom.privacy import reference
from scintiflow.tracing.place import Place, Step, place

Fact = str | int

_here: ContextVar[Place | None] = ContextVar("scintiflow_span", default=None)
"""The span whose block runs."""


@dataclass(frozen=True)
class Span:
    """Something that was done; times are Unix seconds."""

    name: str
    at: Place
    parent: Place | None
    begun: float
    ended: float
    facts: Mapping[str, Fact] = field(default_factory=dict)
    failure: str = ""
    """The type of the error that ended it."""


@dataclass(frozen=True)
class Tracing:
    """Tells spans to `export`; without it nothing is told, and nothing is worked out for it."""

    export: Callable[[Span], None] | None = None
    salt: bytes = b""
    """The installation's, from which references of studies follow."""

    def tell(self, folder: str, step: Step, within: Step | None, begun: float, ended: float, **facts: Fact) -> None:
        """Tell of a step with a study that is over; `within` is the step that it belongs to."""
        if self.export is not None:
            trace = reference(self.salt, folder)
            parent = place(trace, within) if within else None
            self.export(Span(step[0], place(trace, step), parent, begun, max(begun, ended), facts))

    @contextmanager
    def attempt(self, folder: str, step: Step) -> Iterator[None]:
        """Tell of one attempt at a step with a study; the step itself is told by whoever succeeds."""
        if self.export is None:
            yield
            return
        with self.inside(place(reference(self.salt, folder), step), f"{step[0]} attempt"):
            yield

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell of a part of the attempt that runs."""
        parent = _here.get()
        if parent is None:
            yield
            return
        with self.inside(parent, name):
            yield

    @contextmanager
    def inside(self, parent: Place, name: str) -> Iterator[dict[str, Fact]]:
        """Tell of the block, below `parent`, with the facts that it adds."""
        at, begun, failure, facts = Place(parent.trace, secrets.token_hex(8)), time.time(), "", dict[str, Fact]()
        before = _here.set(at)
        try:
            yield facts
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            _here.reset(before)
            if self.export is not None:
                self.export(Span(name, at, parent, begun, max(begun, time.time()), facts, failure))


NOWHERE = Tracing()
"""Where no endpoint is configured."""


def traceparent() -> dict[str, str]:
    """Return the HTTP header that says in which span we are, if we are in one."""
    here = _here.get()
    return {"traceparent": here.traceparent} if here else {}
