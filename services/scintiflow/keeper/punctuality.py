"""Whether results are at their destinations in time, told once for each reading of a study and each destination.

What never comes to an end is late too, as soon as its time is over: that is why the disk is asked, and no process that
may hang.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from scintiflow.config import Destination
from scintiflow.contracts.v1.finding_pb2 import ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.records import Record, State

Verdict = Literal["in_time", "late"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_NOTHING_TO_SEND: frozenset[State] = frozenset({"read", "incomplete", "declined"})


@dataclass
class Punctuality:
    """Judges records for one keeper, from when it became the active one."""

    destinations: Sequence[Destination]
    within: float
    """Seconds from the last needed object on disk to the last result acknowledged."""
    _since: float = 0.0
    _judged: set[tuple[str, int, str]] = field(default_factory=set)

    def begin(self, now: float) -> None:
        """Judge from now on: what came to an end before was another keeper's to judge.

        What is open and overdue is judged, although the other one may have done so: a study too many that is late,
        rather than an outage that nobody counted.
        """
        self._since = now

    def judge(self, record: Record, now: float) -> dict[str, Verdict]:
        """Return what can be told now for the first time of a study's newest reading, by destination."""
        if record.is_probe or self._was_told(record) or not record.readies or record.outcome.state in _NOTHING_TO_SEND:
            return {}
        ready, found = record.readies[-1], {}
        for name in self._awaiting(record, ready):
            key, verdict = (record.folder, ready.revision, name), self._verdict(record, ready, name, now)
            if verdict and key not in self._judged:
                self._judged.add(key)
                found[name] = verdict
        return found

    def _was_told(self, record: Record) -> bool:
        ended = record.outcome.at
        return ended is not None and ended < self._since

    def _awaiting(self, record: Record, ready: StudyReady) -> list[str]:
        """Return who gets results; before they are made, everybody who may."""
        known = _deliveries(record, ready)
        return list(known) or [one.name for one in self.destinations if one.takes(synthetic=ready.synthetic)]

    def _verdict(self, record: Record, ready: StudyReady, destination: str, now: float) -> Verdict | None:
        due = ready.last_stored_at + self.within
        delivery = _deliveries(record, ready).get(destination)
        if delivery is not None and not record.undelivered(delivery):
            acknowledged = record.delivered[destination]
            return "in_time" if max(acknowledged[result.name] for result in delivery.results) <= due else "late"
        return "late" if now > due else None


def _deliveries(record: Record, ready: StudyReady) -> dict[str, ResultReady]:
    return {one.destination: one for one in record.deliveries if one.revision == ready.revision}
