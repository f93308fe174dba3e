"""Objects of a study -> the decision what is to be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import structlog

from scintiflow.contracts.v1.study_pb2 import SelectedView, StudyReady
from scintiflow.dicom.header import text
from scintiflow.dicom.identity import study_folder
from scintiflow.dicom.privacy import log_names
from scintiflow.dicom.reading import read_header
from scintiflow.dicom.selection import Candidate, Scan, Selection, candidate, select
from scintiflow.errors import Declined, Refused
from scintiflow.records import Event, Record, exclusive, note, read_record
from scintiflow.store import Store

_REASONS_SHOWN = 3
_MOST_REMEMBERED = 10_000  # objects, of some 2 KB each


@dataclass(frozen=True)
class Decision:
    """What was decided about a study; `ready` only for a new revision."""

    event: Event
    reason: str = ""
    ready: StudyReady | None = None
    declined: Mapping[str, str] = field(default_factory=dict)
    """Digest of each object that is not for us -> why."""
    first_stored_at: float | None = None
    """When the study's first object came (Unix seconds); None where the study was decided about before."""

    def news(self, record: Record) -> dict[str, object]:
        """What the study's record is to keep of it, beyond what it says already."""
        judged = [digest for digest in record.objects if record.declined.get(digest) != self.declined.get(digest)]
        objects = sorted(record.undecided.union(judged))
        declined = {digest: self.declined[digest] for digest in objects if digest in self.declined}
        selected = {"ready": self.ready, "revision": self.ready.revision} if self.ready else {}
        parked = {"stage": "gather"} if self.event == "parked" else {}
        return {"reason": self.reason, "objects": objects, "declined": declined, **selected, **parked}


def may_complete(store: Store, folder: str, digest: str) -> bool:
    """Tell whether the object just stored completes the first pair of its study, so that nothing need be waited for.

    A better pair may come later, and another; they wait for quiet, since every revision is read and sent.
    """
    try:
        seen = _candidate(store, folder, digest)
        if isinstance(seen, Declined) or not isinstance(seen.verdict, Scan):
            return False
        record = read_record(store, folder)
        had_one = any(len(ready.views) == 2 for ready in record.readies)
        return not had_one and _select(store, record).complete
    except Exception:  # whatever is wrong with it, `gather` will say when its time has come
        return False


def gather(store: Store, folder: str, now: float, caller: str) -> Decision | None:
    """Decide about all objects of a study and write the decision down; None when all were decided before.

    `caller` is the AE title that they came from.
    """
    with exclusive(store, folder):
        record = read_record(store, folder)
        if not record.undecided:
            return None
        decision = _decide(store, record, now, caller)
        if not record.events:
            decision = replace(decision, first_stored_at=min(record.objects.values()))
        note(store, folder, decision.event, **decision.news(record))
        return decision


def _decide(store: Store, record: Record, now: float, caller: str) -> Decision:
    latest = record.readies[-1] if record.readies else None
    try:
        selection = _select(store, record)
    except Refused as error:
        return Decision("parked", str(error))
    except Exception as error:  # a malformed value can raise nearly anything; it must not stop the neighbours
        structlog.get_logger().exception("cannot judge a study", **log_names(store.salt, record.folder))
        return Decision("parked", f"Its objects cannot be judged ({type(error).__name__}); see the keeper's log.")
    if not selection.views and latest is None:
        return Decision("declined", _why_nothing(selection), declined=selection.declined)
    if latest and not _differ(record, latest, selection.views):
        return Decision("unchanged", "the selected views are the same", declined=selection.declined)
    revision = latest.revision + 1 if latest else 1
    ready = _ready(record, selection, revision, now, caller)
    return Decision("selected", f"revision {revision}", ready, selection.declined)


def _ready(record: Record, selection: Selection, revision: int, now: float, caller: str) -> StudyReady:
    return StudyReady(
        study=record.folder,
        revision=revision,
        views=selection.views,
        notes=selection.notes,
        synthetic=selection.synthetic,
        probe=selection.probe,
        last_stored_at=max(record.objects[view.digest] for view in selection.views),
        ready_at=now,
        caller=caller,
    )


def _select(store: Store, record: Record) -> Selection:
    """Select among the study's objects, leaving out our own results that came back and what the disk damaged."""
    seen = {digest: _candidate(store, record.folder, digest) for digest in record.objects}
    damaged = {digest: str(one) for digest, one in seen.items() if isinstance(one, Declined)}
    for reason in damaged.values():
        names = log_names(store.salt, record.folder)
        structlog.get_logger().error("left out an object", reason=reason, **names)
    sound = [one for one in seen.values() if isinstance(one, Candidate)]
    selection = select(one for one in sound if not (one.is_ours or one.sop_instance_uid in record.made))
    return selection._replace(declined=selection.declined | damaged)


def _differ(record: Record, latest: StudyReady, views: Sequence[SelectedView]) -> bool:
    """Tell whether `views` are to be read although `latest` was selected.

    Fewer views are not: they are what came after retention took the others. Neither, once `latest` is reported, are
    the same instances in other bytes: their results would have the same UIDs.
    """
    reported = any(delivery.revision == latest.revision for delivery in record.deliveries)

    def places(views: Sequence[SelectedView]) -> set[tuple[int, str, int]]:
        return {(view.view, view.sop_instance_uid if reported else view.digest, view.frame) for view in views}

    return len(views) >= len(latest.views) and places(latest.views) != places(views)


def _why_nothing(selection: Selection) -> str:
    """Name the most frequent reasons, most frequent first."""
    reasons = list(selection.declined.values())
    ranked = sorted(set(reasons), key=lambda reason: (-reasons.count(reason), reason))
    return " ".join(ranked[:_REASONS_SHOWN]) or "Nothing but our own results."


def _candidate(store: Store, folder: str, digest: str) -> Candidate | Declined:
    """Look at an object; Declined where it is damaged or no scan.

    Raises:
        Refused: the disk does not give it back, so that nobody can tell what it is.
    """
    path = store.study(folder) / "objects" / f"{digest}.dcm"
    try:
        found = path.stat()
        return _seen(path, (found.st_mtime, found.st_ino))
    except OSError as error:
        raise Refused(f"The disk under DATA does not give an object back ({error.strerror}); repair it.") from error


@lru_cache(_MOST_REMEMBERED)
def _seen(path: Path, version: tuple[float, int]) -> Candidate | Declined:
    """Look at a file once for all selections: as long as it has this time and this inode, it is the same."""
    try:
        with path.open("rb") as file:
            header = read_header(file)
    except OSError:
        raise
    except Declined as reason:
        return Declined(str(reason))
    except Exception:  # pydicom raises nearly anything on malformed input
        return Declined("An object cannot be read as DICOM.")
    if study_folder(text(header, "StudyInstanceUID")) != path.parent.parent.name:
        return Declined("An object reads as one of another study than it came with.")
    stored_at, _ = version
    return candidate(path.stem, stored_at, header, path.stat().st_size)
