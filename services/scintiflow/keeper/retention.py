"""How long objects and results stay; a tombstone with the findings and the events stays for good."""

import shutil
from collections.abc import Iterable

from scintiflow.records import ENDS, Record, State, note
from scintiflow.store import Store

_DAY = 86_400.0
_KEPT_LONGER: frozenset[State] = frozenset({"incomplete", "parked"})


def overdue(records: Iterable[Record], now: float, *, days: float, days_open: float) -> list[Record]:
    """Return the studies whose time is over: `days` after a good end, `days_open` after an open one."""
    return [record for record in records if _age(record, now) > _DAY * _kept(record, days, days_open)]


def oldest_delivered(records: Iterable[Record]) -> list[Record]:
    """Return delivered studies, oldest first: they go when the disk runs full."""
    delivered = [record for record in records if record.outcome.state == "delivered" and record.objects]
    return sorted(delivered, key=lambda record: record.outcome.at or 0)


def expire(store: Store, record: Record, reason: str) -> None:
    """Remove a study's objects and results, and say so in its record."""
    study = store.study(record.folder)
    note(store, record.folder, "expired", reason=reason)
    for part in ("objects", "results"):
        shutil.rmtree(study / part, ignore_errors=True)


def _kept(record: Record, days: float, days_open: float) -> float:
    return days_open if record.outcome.state in _KEPT_LONGER else days


def _age(record: Record, now: float) -> float:
    outcome = record.outcome
    return now - outcome.at if outcome.state in ENDS and outcome.at is not None and record.objects else 0.0
