"""How long objects and results stay; a tombstone with the findings and the events stays for good."""

import uuid
from collections.abc import Iterable

from scintiflow.errors import Unavailable
from scintiflow.records import ENDS, Record, State, note, read_record
from scintiflow.store import Store

_HOUR = 3_600.0
_DAY = 24 * _HOUR
_SETTLED_SECONDS = 2.0  # file times are coarse: what came this long ago may hide what came after a record was read
_KEPT_LONGER: frozenset[State] = frozenset({"incomplete", "parked"})


def overdue(
    records: Iterable[Record], now: float, *, days: float, days_open: float, even_since: float = 0.0
) -> list[Record]:
    """Return the studies whose time is over: `days` after a good end, `days_open` after an open one.

    Nothing is older than the even run of the clock, which began at `even_since`: before that, nobody knows.
    """
    return [record for record in records if _age(record, now, even_since) > _DAY * _kept(record, days, days_open)]


def oldest_delivered(records: Iterable[Record], now: float) -> list[Record]:
    """Return delivered studies, oldest first: they go when the disk runs full, unless an object came just now."""
    delivered = [record for record in records if record.outcome.state == "delivered" and record.objects]
    settled = [record for record in delivered if not 0 <= now - record.came < _SETTLED_SECONDS]
    return sorted(settled, key=lambda record: record.outcome.at or 0)


def overdue_probes(records: Iterable[Record], now: float, *, hours: float) -> list[Record]:
    """Return the probe's studies that came more than `hours` ago, wherever they stand: there is always a newer one.

    Not what somebody may be reading now: the results would be left over.
    """
    old = [record for record in records if record.is_probe and now - record.came > _HOUR * hours]
    return [record for record in old if record.outcome.state != "reading"]


def forget(store: Store, record: Record) -> None:
    """Remove a study with its record, as if it had never come.

    Raises:
        Unavailable: something happened to it: it is to be judged again.
    """
    with store.closed(record.folder), store.incoming(f"forgotten-{uuid.uuid4().hex}") as folder:
        if read_record(store, record.folder) != record:
            raise Unavailable("The study has changed since it was to be removed.")
        store.study(record.folder).rename(folder / "study")  # nobody ever sees half of it


def expire(store: Store, record: Record, reason: str) -> None:
    """Remove a study's objects and results, and say so in its record, if it is still as it was when `record` was read.

    Raises:
        Unavailable: something happened to it, such as that its objects were sent again: it is to be judged again.
    """
    study = store.study(record.folder)
    objects = [study / "objects" / f"{digest}.dcm" for digest in record.objects]
    results = [path for ready in record.readies for path in (study / "results").glob(f"r{ready.revision}-*.dcm")]
    with store.closed(record.folder):
        if read_record(store, record.folder) != record:
            raise Unavailable("The study has changed since it was to be removed.")
        for path in (*results, *objects):  # objects last: a study that has some is looked at again after a crash
            path.unlink(missing_ok=True)
    note(store, record.folder, "expired", reason=reason)  # last: a full disk takes it now


def _kept(record: Record, days: float, days_open: float) -> float:
    return days_open if record.outcome.state in _KEPT_LONGER else days


def _age(record: Record, now: float, even_since: float) -> float:
    """Return the seconds since a study ended or, if an object came after that, also again, since the last of them."""
    outcome = record.outcome
    if outcome.state not in ENDS or outcome.at is None or not record.objects:
        return 0.0
    times = [at for at in (outcome.at, record.came) if at <= now]  # the rest: of a clock set back since
    return now - max(even_since, *times, 0.0)
