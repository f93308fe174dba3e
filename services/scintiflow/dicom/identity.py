"""Who we are in DICOM, and the UIDs that follow from what was read and by what.

A result's UIDs are digests of its inputs, so that a retry, a replay and a rebuilt disk give the same instance,
and a PACS holds it once however often it was sent.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from scintiflow import __version__
from scintiflow.contracts.v1.finding_pb2 import Finding
from scintiflow.contracts.v1.study_pb2 import SelectedView
from scintiflow.dicom.header import text


class Equipment(NamedTuple):
    """What identifies our software as the maker of an object (DICOM PS3.3 C.7.5.1)."""

    manufacturer: str
    model: str
    version: str


EQUIPMENT = Equipment(manufacturer="scintiflow", model="scintiflow", version=__version__)

IMPLEMENTATION_UID = UID("2.25.101142828757727846891350377543519340862")
"""Implementation Class UID (0002,0012): drawn once, as a UUID, and never changed."""

IMPLEMENTATION_VERSION = f"SCINTIFLOW{__version__}"[:16]
"""Implementation Version Name (0002,0013), an SH of at most 16 characters."""

PROBE_PATIENT = "SCINTIFLOW-PROBE"
"""Patient ID (0010,0020) of the scans that the probe sends, which are marked as synthetic besides."""

_RESULT_CLASSES = frozenset(
    {
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        EnhancedSRStorage,
        SecondaryCaptureImageStorage,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        MultiFrameTrueColorSecondaryCaptureImageStorage,
    }
)


def study_folder(study_uid: str) -> str:
    """Return the folder of a study under DATA/studies: the first 32 hex digits of sha256(Study Instance UID).

    Nothing that a DICOM file says becomes a path.
    """
    return hashlib.sha256(study_uid.encode()).hexdigest()[:32]


def result_uid(finding: Finding, kind: str, encoder_version: str) -> UID:
    """Return the SOP Instance UID of the result of `kind` that says what a model found on its views of its study.

    The study counts: a scan that is filed anew, under the right patient, may keep its own UIDs. So does the model's
    name: two models may ask one graph with thresholds of their own.
    """
    views, model = _named(finding.views), (finding.model, finding.model_digest)
    return _uid_of("instance", finding.study, *views, *model, kind, encoder_version)


def series_uid(finding: Finding, kind: str, encoder_version: str) -> UID:
    """Return the Series Instance UID that all results of `kind` on these views of a study share, of whatever model."""
    return _uid_of("series", finding.study, *_named(finding.views), kind, encoder_version)


def synthetic_study_uid(*what: str) -> UID:
    """Return the Study Instance UID of a synthetic scan: it follows from `what` it is, as the scan itself does."""
    return _uid_of("synthetic", *what)


def is_our_result(header: Dataset) -> bool:
    """Tell whether `header` is of a result that our software made, for whichever study, and a PACS rule sent back.

    SR or Secondary Capture *together with* our equipment tells; equipment alone decides nothing, because example,
    probe and synthetic scans carry it too and are read.
    """
    ours = (text(header, "Manufacturer"), text(header, "ManufacturerModelName")) == EQUIPMENT[:2]
    return ours and text(header, "SOPClassUID") in _RESULT_CLASSES


def is_probe(header: Dataset) -> bool:
    """Tell whether `header` is of a scan that the probe sent, to see whether it comes back."""
    return text(header, "SyntheticData") == "YES" and text(header, "PatientID") == PROBE_PATIENT


def _named(views: Iterable[SelectedView]) -> list[str]:
    return sorted(f"{view.sop_instance_uid}#{view.frame}={view.view}" for view in views)


def _uid_of(*parts: str) -> UID:
    """Return a UID under 2.25 (DICOM PS3.5 B.2) whose integer is a version 8 UUID made of sha256(parts)."""
    octets = bytearray(hashlib.sha256("\n".join(parts).encode()).digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    return UID(f"2.25.{int.from_bytes(octets)}")
