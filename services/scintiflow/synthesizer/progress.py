"""How far a batch has come, as one replica sees it."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from scintiflow.synthesizer.batch import Batch

State = Literal["queued", "running", "waiting", "failed", "done"]


@dataclass(eq=False)
class Progress:
    """What is made of a batch, by whatever replica, and what is still to be made. Times are of the monotonic clock."""

    batch: Batch
    missing: set[int]
    """Shards that are not on the disk; never more than before."""
    pending: deque[int] = field(default_factory=deque)
    """Those of them that this replica has not tried since it last looked."""
    making: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    """Those that this replica makes now."""
    began: float | None = None
    """When this replica first saw somebody work on it."""
    done_before: int = 0
    """Scans on the disk then."""
    latest: float = 0.0
    """When it last saw more of them."""
    trouble: str = ""
    failure: str = ""

    @property
    def left(self) -> int:
        """Scans that are still to be made."""
        return self.batch.scans(self.missing)

    @property
    def done(self) -> int:
        """Scans on the disk."""
        return self.batch.order.count - self.left

    @property
    def finished(self) -> bool:
        """Whether all of it is on the disk."""
        return not self.missing

    @property
    def open(self) -> bool:
        """Whether it is still to be worked on."""
        return not self.finished and not self.failure

    @property
    def state(self) -> State:
        """Where it stands."""
        if not self.open:
            return "done" if self.finished else "failed"
        if self.trouble:
            return "waiting"
        return "queued" if self.began is None else "running"

    @property
    def rate(self) -> float | None:
        """Scans a second, made by all replicas since this one saw the first at work; None where nobody can tell."""
        if self.began is None or self.done == self.done_before:
            return None
        return (self.done - self.done_before) / (self.latest - self.began)

    def begin(self) -> None:
        """Note that somebody works on it."""
        if self.began is None:
            self.began, self.done_before = time.monotonic(), self.done

    def see(self, missing: set[int], failure: str) -> None:
        """Take in what the disk says, perhaps from before a shard that this replica has made."""
        self.add(self.missing - missing)
        self.failure = self.failure or failure
        self.pending = deque(sorted(self.missing - self.making.keys()))

    def add(self, made: set[int]) -> None:
        """Note that these shards are on the disk now."""
        if made:
            self.missing -= made
            self.begin()
            self.latest = time.monotonic()
            self.trouble = ""


def view(progress: Progress, *, keep_days: float) -> dict[str, Any]:
    """Return what a client is told of a batch; times in Unix seconds."""
    batch, rate = progress.batch, progress.rate
    return {
        "id": batch.id,
        "state": progress.state,
        "reason": progress.failure or progress.trouble or None,
        "count": batch.order.count,
        "done": progress.done,
        "scans_a_second": None if rate is None else round(rate, 3),
        "seconds_left": round(progress.left / rate, 1) if rate and progress.state == "running" else None,
        "asked_at": batch.order.asked_at,
        "expires_at": batch.expires_at(keep_days) if progress.finished else None,
        "request": batch.wanted.model_dump(exclude_none=True),
        "archive": f"/v1/batches/{batch.id}/archive",
    }
