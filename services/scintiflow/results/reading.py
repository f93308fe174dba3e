"""One model's answer with everything that its report and its picture say, and the sentences both share."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from scintiflow.contracts.v1.finding_pb2 import Finding
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView, View
from scintiflow.results.scan import Scan

DISCLAIMER = "AI result, not for diagnostic use, research only"
"""Said by every output that a person can see."""

PRESENT = Code("52101004", "SCT", "Present")
ABSENT = Code("272519000", "SCT", "Absent")
UNDETERMINED = Code("373068000", "SCT", "Undetermined")

VIEW_NAMES: dict[View, str] = {VIEW_ANTERIOR: "anterior", VIEW_POSTERIOR: "posterior"}


@dataclass(frozen=True)
class Reading:
    """What one model found in one study.

    Attributes:
        finding: the answer; its status is assessed, so it has a probability.
        others: models that could not assess this study; each gives its reason.
        scan: that it was found in; the readings of one study share it.
        predecessor: header of the result of the same kind that this one revises, if it revises one.
        encoded_at: when the result was first encoded, with a time zone; never taken from the acquisition.
    """

    finding: Finding
    others: tuple[Finding, ...]
    scan: Scan
    predecessor: Dataset | None
    encoded_at: datetime


def answer(finding: Finding) -> Code:
    """Return what the model answers to its question: present, absent or undetermined (DICOM CID 240)."""
    if not finding.HasField("positive"):
        return UNDETERMINED
    return PRESENT if finding.positive else ABSENT


def views_in_order(finding: Finding) -> list[SelectedView]:
    """Return the selected views, anterior first."""
    return sorted(finding.views, key=lambda view: view.view)


def remarks(reading: Reading) -> tuple[str, ...]:
    """Return what else a reader must know, as sentences: revision, doubts about the views, models left out."""
    return tuple(dict.fromkeys(_remarks(reading)))


def _remarks(reading: Reading) -> Iterator[str]:
    if reading.finding.revision > 1:
        yield f"This is revision {reading.finding.revision}."
    if any(source.get("SyntheticData") == "YES" for source in reading.scan.sources):
        yield "The scan is marked as synthetic data."
    if len(views := views_in_order(reading.finding)) == 1:
        yield f"Only the {VIEW_NAMES[views[0].view]} view was read."
    yield from reading.finding.notes
    for view in views:
        if view.confidence == "low":
            yield f"Low confidence that one view is the {VIEW_NAMES[view.view]}: decided by {view.rule}."
        yield from view.flags
    for other in reading.others:
        yield f"{other.model}: not assessed: {other.reason.rstrip('.')}."
