"""Which frames of a study are read, when it holds several acquisitions, copies and much that is not for us."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pydicom.dataset import Dataset

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView
from scintiflow.dicom.eligibility import is_processed, judge, photopeak_frames
from scintiflow.dicom.header import birth_date, dated_at, number, plain, since_injection, text
from scintiflow.dicom.identity import is_our_result
from scintiflow.dicom.views import FrameView, views_of
from scintiflow.errors import Declined, Refused

MOST_APART = timedelta(hours=1)
"""Between the anterior and the posterior pass of a camera with one head; further apart they are two acquisitions."""

DUPLICATE = "An object arrived again under the same UID with other content; the first one was used."


class StoredHeader(NamedTuple):
    """One object of a study on disk, without its pixels."""

    digest: str
    """SHA-256 of the stored bytes, in hex."""
    stored_at: float
    """Unix seconds."""
    header: Dataset
    """Everything before Pixel Data, file meta information included."""
    encoded_bytes: int | None = None
    """Length of the stored object, which tells how much a lossy compression took away."""


class Selection(NamedTuple):
    """What is read of a study, and why the rest is not."""

    views: tuple[SelectedView, ...]
    """At most one anterior and one posterior, in this order; none when nothing is eligible."""
    notes: tuple[str, ...]
    """Sentences that every result must say, each once."""
    declined: dict[str, str]
    """Digest of each object that is not for us -> the reason, as a sentence."""
    complete: bool
    """Both views are there, so that nothing need be waited for.

    Low confidence and an unknown time after injection count as well: no later object would add to them. Early
    phases are declined where the header tells them, and where it does not, a better pair that comes later is read
    as a revision.
    """
    synthetic: bool
    """A selected object says Synthetic Data (0008,001C) = YES."""


@dataclass(frozen=True, eq=False)
class _Scan:
    """An eligible object."""

    stored: StoredHeader
    notes: tuple[str, ...]
    frames: tuple[FrameView, ...]
    """The photopeak frames whose view is known."""

    @property
    def dated(self) -> datetime:
        """When it was acquired; the beginning of time when that is unknown."""
        return dated_at(self.stored.header) or datetime.min

    @property
    def shape(self) -> tuple[float | None, float | None]:
        """Rows and columns."""
        return number(self.stored.header, "Rows"), number(self.stored.header, "Columns")

    def rank(self) -> tuple[bool, bool]:
        """Original before processed, surely delayed before perhaps delayed."""
        return not is_processed(self.stored.header), since_injection(self.stored.header) is not None


class _Shown(NamedTuple):
    """One frame that could be read, and the scan it is of."""

    frame: FrameView
    scan: _Scan


def select(objects: Sequence[StoredHeader]) -> Selection:
    """Select the frames to read, whatever the order in which the objects came.

    A pair goes before a single view, an original before a processed copy, a scan that is surely delayed before one
    that may be, and the latest of several.

    Raises:
        Refused: the study holds two patients, or an eligible object contradicts itself about its views.
    """
    _require_one_patient([stored.header for stored in objects])
    declined: dict[str, str] = {}
    scans = []
    kept, duplicated = _first_of_each_uid(objects, declined)
    for stored in kept:
        try:
            scans.append(_scan(stored))
        except Declined as reason:
            declined[stored.digest] = str(reason)
    chosen = _best(scans)
    used = {shown.scan.stored.digest: shown.scan for shown in chosen}.values()
    again = [DUPLICATE for scan in used if text(scan.stored.header, "SOPInstanceUID") in duplicated]
    return Selection(
        views=tuple(map(_selected, chosen)),
        notes=tuple(dict.fromkeys([note for scan in used for note in scan.notes] + again)),
        declined=declined,
        complete=len(chosen) == 2,
        synthetic=any(text(scan.stored.header, "SyntheticData") == "YES" for scan in used),
    )


def _require_one_patient(headers: Sequence[Dataset]) -> None:
    """A result filed under the wrong patient is worse than none, so any difference needs a person."""
    stated = [(_identifier(header), _name(header), str(birth_date(header) or "")) for header in headers]
    if any(len(set(filter(None, said))) > 1 for said in zip(*stated, strict=True)):
        raise Refused(
            "The study holds objects of two patients (identifier, name or date of birth differ): "
            "correct it in the PACS and send it again."
        )


def _identifier(header: Dataset) -> str:
    return text(header, "PatientID")


def _name(header: Dataset) -> str:
    """The alphabetic part of the name, without case, accents and punctuation."""
    return plain(text(header, "PatientName").split("=")[0])


def _first_of_each_uid(
    objects: Sequence[StoredHeader], declined: dict[str, str]
) -> tuple[list[StoredHeader], set[str]]:
    """Return the first stored object of each SOP Instance UID, and the UIDs that came with several contents."""
    first: dict[str, StoredHeader] = {}
    duplicated = set()
    for stored in sorted(objects, key=lambda one: (one.stored_at, one.digest)):
        uid = text(stored.header, "SOPInstanceUID")
        if first.setdefault(uid, stored) is not stored:
            duplicated.add(uid)
            declined[stored.digest] = DUPLICATE
    return list(first.values()), duplicated


def _scan(stored: StoredHeader) -> _Scan:
    if is_our_result(stored.header, made=()):
        raise Declined("This is a result of ours that came back.")
    notes = judge(stored.header, stored.encoded_bytes)
    photopeak = photopeak_frames(stored.header)
    frames = tuple(shown for shown in views_of(stored.header) if shown.frame in photopeak and shown.view)
    if not frames:
        raise Declined("Nothing in the header says which view this is; send a view code or a start angle with it.")
    return _Scan(stored, notes, frames)


def _best(scans: Sequence[_Scan]) -> tuple[_Shown, ...]:
    """Return the best pair, else the best single view, else nothing."""
    shown = [_Shown(frame, scan) for scan in scans for frame in scan.frames]
    anterior = [one for one in shown if one.frame.view == VIEW_ANTERIOR]
    posterior = [one for one in shown if one.frame.view == VIEW_POSTERIOR]
    pairs = [(front, back) for front in anterior for back in posterior if _belong_together(front.scan, back.scan)]
    if pairs:
        return max(pairs, key=_pair_rank)
    return (max(shown, key=_rank),) if shown else ()


def _belong_together(front: _Scan, back: _Scan) -> bool:
    """Two views pair within one object, or across two objects that each hold one view of one acquisition."""
    if front is back:
        return True
    alone = len(front.frames) == len(back.frames) == 1
    return alone and front.shape == back.shape and front.rank() == back.rank() and _apart(front, back) <= MOST_APART


def _apart(front: _Scan, back: _Scan) -> timedelta:
    """Return the time between two scans; none when either is undated."""
    undated = datetime.min in (front.dated, back.dated)
    return timedelta(0) if undated else abs(front.dated - back.dated)


def _rank(shown: _Shown) -> tuple[bool, bool, datetime, bool, str]:
    """Ties go to the anterior view, then to the digest, so that the order of arrival decides nothing."""
    return *shown.scan.rank(), shown.scan.dated, shown.frame.view == VIEW_ANTERIOR, shown.scan.stored.digest


def _pair_rank(pair: tuple[_Shown, _Shown]) -> tuple[bool, bool, datetime, timedelta, str, str]:
    front, back = (shown.scan for shown in pair)
    began = min(front.dated, back.dated)
    return *front.rank(), began, -_apart(front, back), front.stored.digest, back.stored.digest


def _selected(shown: _Shown) -> SelectedView:
    header = shown.scan.stored.header
    return SelectedView(
        view=shown.frame.view,
        digest=shown.scan.stored.digest,
        sop_class_uid=text(header, "SOPClassUID"),
        sop_instance_uid=text(header, "SOPInstanceUID"),
        frame=shown.frame.frame,
        rule=shown.frame.rule,
        confidence=shown.frame.confidence,
        flags=shown.frame.flags,
    )
