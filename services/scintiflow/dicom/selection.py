"""Which frames of a study are read, when it holds several acquisitions, copies and much that is not for us."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pydicom.dataset import Dataset

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView
from scintiflow.dicom.eligibility import is_processed, judge, photopeak_frames
from scintiflow.dicom.header import birth_date, dated_at, number, since_injection, text
from scintiflow.dicom.identity import is_our_result, is_probe
from scintiflow.dicom.views import FrameView, views_of
from scintiflow.errors import Declined, Refused

MOST_APART = timedelta(hours=1)
"""Between the anterior and the posterior pass of a camera with one head; further apart they are two acquisitions."""

DUPLICATE = "An object arrived again under the same UID with other content; the first one was used."


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
    probe: bool
    """All that is selected is of the probe."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What an eligible object says of itself."""

    digest: str
    sop_class_uid: str
    sop_instance_uid: str
    notes: tuple[str, ...]
    frames: tuple[FrameView, ...]
    """The photopeak frames whose view is known."""
    dated: datetime
    """When it was acquired; the beginning of time when that is unknown."""
    shape: tuple[float | None, float | None]
    """Rows and columns."""
    rank: tuple[bool, bool]
    """Original before processed, surely delayed before perhaps delayed."""
    synthetic: bool
    probe: bool


class Candidate(NamedTuple):
    """What selection needs to know of one object of a study: little, however much its header holds."""

    digest: str
    stored_at: float
    sop_instance_uid: str
    patient: tuple[str, str, str]
    """Digests of identifier, name and date of birth; "" for what is not said."""
    is_ours: bool
    """It is a result that our software made, perhaps for another study."""
    verdict: Scan | Refused
    """Declined where it is not for us, Refused where it contradicts itself about its views."""


class _Shown(NamedTuple):
    """One frame that could be read, and the scan it is of."""

    frame: FrameView
    scan: Scan


def candidate(digest: str, stored_at: float, header: Dataset, encoded_bytes: int | None = None) -> Candidate:
    """Take from one object what selection needs, so that its header can be let go before the next one is read.

    Args:
        digest: SHA-256 of the stored bytes, in hex.
        stored_at: Unix seconds.
        header: everything before Pixel Data, file meta information included.
        encoded_bytes: length of the stored object, which tells how much a lossy compression took away.
    """
    return Candidate(
        digest=digest,
        stored_at=stored_at,
        sop_instance_uid=text(header, "SOPInstanceUID"),
        patient=_patient(header),
        is_ours=is_our_result(header),
        verdict=_verdict(digest, header, encoded_bytes),
    )


def select(candidates: Iterable[Candidate]) -> Selection:
    """Select the frames to read, whatever the order in which the objects came.

    A pair goes before a single view, an original before a processed copy, a scan that is surely delayed before one
    that may be, and the latest of several.

    Raises:
        Refused: the study holds two patients, or an eligible object contradicts itself about its views.
    """
    in_order = sorted(candidates, key=lambda one: (one.stored_at, one.digest))
    _require_one_patient(in_order)
    declined: dict[str, str] = {}
    scans = []
    kept, duplicated = _first_of_each_uid(in_order, declined)
    for one in kept:
        if isinstance(one.verdict, Scan):
            scans.append(one.verdict)
        elif isinstance(one.verdict, Declined):
            declined[one.digest] = str(one.verdict)
        else:
            raise Refused(str(one.verdict))
    chosen = _best(scans)
    used = {shown.scan.digest: shown.scan for shown in chosen}.values()
    again = [DUPLICATE for scan in used if scan.sop_instance_uid in duplicated]
    return Selection(
        views=tuple(map(_selected, chosen)),
        notes=tuple(dict.fromkeys([note for scan in used for note in scan.notes] + again)),
        declined=declined,
        complete=len(chosen) == 2,
        synthetic=any(scan.synthetic for scan in used),
        probe=bool(used) and all(scan.probe for scan in used),
    )


def _patient(header: Dataset) -> tuple[str, str, str]:
    """Return what tells patients apart, as digests: nobody knows how much a sender writes there."""
    name = _letters(text(header, "PatientName").split("=")[0])  # the alphabetic one, if a name is written in several
    identifier, born = text(header, "PatientID"), str(birth_date(header) or "")
    return _digest(identifier), _digest(name), _digest(born)


def _letters(name: str) -> str:
    """Return a name in any script without case, accents and punctuation, its parts separated by single blanks."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return " ".join(re.findall(r"[^\W\d_]+|\d+", "".join(one for one in letters if not unicodedata.combining(one))))


def _digest(said: str) -> str:
    return hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest() if said else ""


def _require_one_patient(candidates: Sequence[Candidate]) -> None:
    """A result filed under the wrong patient is worse than none, so any difference needs a person."""
    if any(len(set(filter(None, said))) > 1 for said in zip(*(one.patient for one in candidates), strict=True)):
        raise Refused(
            "The study holds objects of two patients (identifier, name or date of birth differ): "
            "correct it in the PACS and send it again."
        )


def _first_of_each_uid(in_order: Sequence[Candidate], declined: dict[str, str]) -> tuple[list[Candidate], set[str]]:
    """Return the first stored object of each SOP Instance UID, and the UIDs that came with several contents."""
    first: dict[str, Candidate] = {}
    duplicated = set()
    for one in in_order:
        if first.setdefault(one.sop_instance_uid, one) is not one:
            duplicated.add(one.sop_instance_uid)
            declined[one.digest] = DUPLICATE
    return list(first.values()), duplicated


def _verdict(digest: str, header: Dataset, encoded_bytes: int | None) -> Scan | Refused:
    try:
        return _scan(digest, header, encoded_bytes)
    except Refused as error:
        return type(error)(str(error))  # another one: its traceback would hold the header


def _scan(digest: str, header: Dataset, encoded_bytes: int | None) -> Scan:
    if is_our_result(header):
        raise Declined("This is a result of ours that came back.")
    notes = judge(header, encoded_bytes)
    photopeak = photopeak_frames(header)
    frames = tuple(shown for shown in views_of(header) if shown.frame in photopeak and shown.view)
    if not frames:
        raise Declined("Nothing in the header says which view this is; send a view code or a start angle with it.")
    return Scan(
        digest=digest,
        sop_class_uid=text(header, "SOPClassUID"),
        sop_instance_uid=text(header, "SOPInstanceUID"),
        notes=notes,
        frames=frames,
        dated=dated_at(header) or datetime.min,
        shape=(number(header, "Rows"), number(header, "Columns")),
        rank=(not is_processed(header), since_injection(header) is not None),
        synthetic=text(header, "SyntheticData") == "YES",
        probe=is_probe(header),
    )


def _best(scans: Sequence[Scan]) -> tuple[_Shown, ...]:
    """Return the best pair, else the best single view, else nothing."""
    shown = [_Shown(frame, scan) for scan in scans for frame in scan.frames]
    anterior = [one for one in shown if one.frame.view == VIEW_ANTERIOR]
    posterior = [one for one in shown if one.frame.view == VIEW_POSTERIOR]
    pairs = [(front, back) for front in anterior for back in posterior if _belong_together(front.scan, back.scan)]
    if pairs:
        return max(pairs, key=_pair_rank)
    return (max(shown, key=_rank),) if shown else ()


def _belong_together(front: Scan, back: Scan) -> bool:
    """Two views pair within one object, or across two objects that each hold one view of one acquisition."""
    if front is back:
        return True
    alone = len(front.frames) == len(back.frames) == 1
    return alone and front.shape == back.shape and front.rank == back.rank and _apart(front, back) <= MOST_APART


def _apart(front: Scan, back: Scan) -> timedelta:
    """Return the time between two scans; none when either is undated."""
    undated = datetime.min in (front.dated, back.dated)
    return timedelta(0) if undated else abs(front.dated - back.dated)


def _rank(shown: _Shown) -> tuple[bool, bool, datetime, bool, str]:
    """Ties go to the anterior view, then to the digest, so that the order of arrival decides nothing."""
    return *shown.scan.rank, shown.scan.dated, shown.frame.view == VIEW_ANTERIOR, shown.scan.digest


def _pair_rank(pair: tuple[_Shown, _Shown]) -> tuple[bool, bool, datetime, timedelta, str, str]:
    front, back = (shown.scan for shown in pair)
    began = min(front.dated, back.dated)
    return *front.rank, began, -_apart(front, back), front.digest, back.digest


def _selected(shown: _Shown) -> SelectedView:
    return SelectedView(
        view=shown.frame.view,
        digest=shown.scan.digest,
        sop_class_uid=shown.scan.sop_class_uid,
        sop_instance_uid=shown.scan.sop_instance_uid,
        frame=shown.frame.frame,
        rule=shown.frame.rule,
        confidence=shown.frame.confidence,
        flags=shown.frame.flags,
    )
