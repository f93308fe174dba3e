"""What a header says, read leniently: a missing, empty or unreadable element says nothing, and never raises."""

import re
import unicodedata
from datetime import date, datetime, time, timedelta

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.valuerep import DA, DT, TM

from scintiflow.errors import Declined

MOST_FRAMES = 64
"""More frames than eight energy windows on a camera with eight heads would give."""

LONG_VALUE = 64 << 10
"""Bytes beyond which a value is left on disk when a header is read: nothing that we ask a header for is as long."""

Tag = str | tuple[int, int]
"""The keyword of a standard element, or the group and element of a private one."""

_RETIRED_SNOMED = frozenset({"SNM3", "99SDM"})


def values(header: Dataset, tag: Tag) -> tuple[str, ...]:
    """Return the values of an element as stripped texts, one for each value; () when it says nothing."""
    value = _value(header, tag)
    if isinstance(value, bytes):  # a private element of unknown VR
        value = value.decode("latin-1").strip("\0").split("\\")
    found = value if isinstance(value, MultiValue | list) else [value]
    texts = tuple("" if one is None else str(one).strip(" \0") for one in found)
    return texts if any(texts) else ()


def text(header: Dataset, *tags: Tag) -> str:
    """Return the values of these elements as one text, "" when they say nothing."""
    return " ".join(one for tag in tags for one in values(header, tag) if one)


def numbers(header: Dataset, tag: str) -> tuple[float, ...]:
    """Return the values of an element as finite numbers; () when one of them is none."""
    try:
        found = tuple(float(one) for one in values(header, tag))
    except ValueError:
        return ()
    return found if all(abs(one) < float("inf") for one in found) else ()


def number(header: Dataset, tag: str) -> float | None:
    """Return the first value of an element as a finite number."""
    return next(iter(numbers(header, tag)), None)


def items(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence; () when it is absent or empty."""
    value = _value(header, keyword)
    return tuple(value) if isinstance(value, Sequence) else ()


def code_of(item: Dataset) -> Code:
    """Return the code that a sequence item holds; both retired names of SNOMED RT read as SRT (PS3.16 section 8)."""
    scheme = text(item, "CodingSchemeDesignator")
    return Code(text(item, "CodeValue"), "SRT" if scheme in _RETIRED_SNOMED else scheme, text(item, "CodeMeaning"))


def plain(written: str) -> str:
    """Return a text in lower case, without accents, its words separated by single blanks."""
    letters = unicodedata.normalize("NFKD", written).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z]+|\d+", letters))


def frame_count(header: Dataset) -> int:
    """Return how many frames the object holds, 1 when it does not say.

    Raises:
        Declined: more frames than any whole-body scan has.
    """
    count = number(header, "NumberOfFrames") or 1
    if not 1 <= count <= MOST_FRAMES:
        raise Declined("The object does not have the few frames of a whole-body scan: send planar whole-body scans.")
    return int(count)


def windows(header: Dataset) -> tuple[int, ...]:
    """Return the energy window of each frame, counted from 1 (Energy Window Vector, PS3.3 C.8.4.8).

    Without the vector, windows are taken to follow each other, each with the same number of frames.
    """
    frames = frame_count(header)
    vector = tuple(int(one) for one in numbers(header, "EnergyWindowVector"))
    if len(vector) == frames:
        return vector
    declared = int(number(header, "NumberOfEnergyWindows") or 1)
    count = declared if declared > 0 and frames % declared == 0 else 1
    return tuple(1 + frame * count // frames for frame in range(frames))


def detectors(header: Dataset) -> tuple[int, ...] | None:
    """Return the detector of each frame, counted from 1 (Detector Vector); None when the header does not say."""
    vector = tuple(int(one) for one in numbers(header, "DetectorVector"))
    return vector if len(vector) == frame_count(header) else None


def acquired_at(header: Dataset) -> datetime | None:
    """Return when the acquisition began, in the local time of the camera."""
    return _moment(text(header, "AcquisitionDateTime")) or _joined(
        _day(text(header, "AcquisitionDate")), _hour(text(header, "AcquisitionTime"))
    )


def dated_at(header: Dataset) -> datetime | None:
    """Return the best date and time by which to tell an earlier acquisition from a later one."""
    later = ("Content", "Series")
    stated = (_joined(_day(text(header, f"{at}Date")), _hour(text(header, f"{at}Time"))) for at in later)
    return acquired_at(header) or next(filter(None, stated), None)


def since_injection(header: Dataset) -> timedelta | None:
    """Return the time between injection and acquisition; None when it is not said, or cannot be true.

    An injection given as a time of day alone was on the day of the scan, or on the evening before it.
    """
    for dose in items(header, "RadiopharmaceuticalInformationSequence"):
        injected = _moment(text(dose, "RadiopharmaceuticalStartDateTime"))
        acquired = acquired_at(header)
        if injected and acquired:
            return acquired - injected if acquired >= injected else None
        clock, began = _hour(text(dose, "RadiopharmaceuticalStartTime")), _began(header)
        if clock and began:
            passed = (_on_a_day(began) - _on_a_day(clock)) % timedelta(days=1)
            return passed if passed < timedelta(hours=12) else None
    return None


def birth_date(header: Dataset) -> date | None:
    """Return the patient's date of birth."""
    return _day(text(header, "PatientBirthDate"))


def _began(header: Dataset) -> time | None:
    acquired = acquired_at(header)
    return acquired.time() if acquired else _hour(text(header, "AcquisitionTime"))


def _on_a_day(clock: time) -> datetime:
    return datetime.combine(date(2000, 1, 1), clock)


def _value(header: Dataset, tag: Tag) -> object:
    try:
        found = header.get(tag)
        return found.value if isinstance(tag, tuple) and found is not None else found
    except Exception:  # pydicom's converters raise whatever they meet, from struct.error to NotImplementedError
        return None


def _day(written: str) -> date | None:
    try:
        return DA(written) or None
    except ValueError:
        return None


def _hour(written: str) -> time | None:
    try:
        clock = TM(written)
    except ValueError:
        return None
    return clock.replace(tzinfo=None) if clock else None


def _moment(written: str) -> datetime | None:
    try:
        moment = DT(written)
    except ValueError:
        return None
    return datetime.combine(moment.date(), moment.time()) if moment else None


def _joined(day: date | None, clock: time | None) -> datetime | None:
    return datetime.combine(day, clock) if day and clock is not None else None
