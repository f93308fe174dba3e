"""A study's record -> the queued work that it says is missing.

Publishing is idempotent, so this may run at any time: at start, after Redis came back empty, after a replay.
"""

import time
from collections.abc import Container

from scintiflow.keeper.deadlines import Deadlines
from scintiflow.records import Record, work_key
from scintiflow.stream import Stream


def resume(record: Record, *, deadlines: Deadlines, ready: Stream, results: dict[str, Stream], quiet: float) -> None:
    """Put a study that has not come to its end back where its record says it is.

    `results` holds the queue of each configured destination.
    """
    if record.outcome.state == "receiving":
        last = min(time.time(), max(record.objects.values(), default=0))  # a clock may have been set back
        deadlines.decide_at(record.folder, last + quiet, unless_sooner=True)
    for study in filter(lambda study: record.awaits_reading(study.revision), record.readies):
        ready.publish(work_key(record.folder, study.revision), study.SerializeToString(), study.caller)
    for delivery in record.deliveries:
        queue = results.get(delivery.destination)
        wanted = record.undelivered(delivery) and record.parked_at(delivery.destination) is None
        if queue is not None and wanted:
            queue.publish(work_key(record.folder, delivery.revision), delivery.SerializeToString(), delivery.caller)


def forsaken(record: Record, destinations: Container[str]) -> list[str]:
    """Return the destinations that results still wait for although nobody has configured them any more."""
    waiting = {delivery.destination for delivery in record.deliveries if record.undelivered(delivery)}
    return sorted(name for name in waiting if name not in destinations and record.parked_at(name) is None)
