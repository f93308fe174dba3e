"""What a report and a picture have in common: patient, study, series, equipment and where they came from."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pydicom.valuerep import VR

from scintiflow.dicom.identity import EQUIPMENT, IMPLEMENTATION_UID, IMPLEMENTATION_VERSION, result_uid, series_uid
from scintiflow.results.reading import Reading

REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Of the scan; type 2: present in a result, if only empty (PS3.3 C.7.1.1, C.7.2.1)."""

COPIED = (
    "SpecificCharacterSet",
    "SyntheticData",
    "TimezoneOffsetFromUTC",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDsSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "QualityControlSubject",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
    "IssuerOfAccessionNumberSequence",
    "ReferencedStudySequence",
    "ProcedureCodeSequence",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
)
"""Of the scan; in a result where the scan has it."""


def envelope(reading: Reading, sop_class: UID, kind: str, version: str, series: tuple[int, str]) -> Dataset:
    """Start the DICOM object of one result, all but its own content.

    Args:
        reading: what was found, and the headers it was found in.
        sop_class: SOP Class UID of the result.
        kind: "report" or "picture"; with `version`, part of the result's identity.
        version: the encoder's version; a new one makes new instances.
        series: Series Number and Series Description.

    Returns:
        A dataset with file meta information, in Explicit VR Little Endian.
    """
    finding = reading.finding
    result = Dataset()
    _copy(reading.scan.sources, result, (*REQUIRED, *COPIED))
    if len({str(source.get("SpecificCharacterSet", "")) for source in reading.scan.sources}) > 1:
        result.add_new("SpecificCharacterSet", VR.CS, "ISO_IR 192")  # the one that holds what all of them say
    for keyword in REQUIRED:
        if keyword not in result:
            setattr(result, keyword, "")
    result.SOPClassUID = sop_class
    result.SOPInstanceUID = result_uid(finding, kind, version)
    result.SeriesInstanceUID = series_uid(finding, kind, version)
    result.SeriesNumber, result.SeriesDescription = series
    # One series holds one result a model: the number only has to tell them apart.
    result.InstanceNumber = int(finding.model_digest[:8] or "0", 16) % 999 + 1
    _stamp(result, reading.encoded_at)
    _sign(result)
    result.file_meta = _file_meta(result)
    return result


def evidence(objects: Sequence[Dataset]) -> Dataset:
    """Return objects of one study as study, series and instances (PS3.3 table C.17-3)."""
    series: dict[str, list[Dataset]] = {}
    for item in objects:
        series.setdefault(item.SeriesInstanceUID, []).append(reference(item))
    study = Dataset()
    study.StudyInstanceUID = objects[0].StudyInstanceUID
    study.ReferencedSeriesSequence = [_series(uid, instances) for uid, instances in series.items()]
    return study


def reference(source: Dataset, frames: Sequence[int] = ()) -> Dataset:
    """Point at `source`, or at some frames of it, counted from 1 (PS3.3 table 10-3).

    A Secondary Capture has one frame by its class, and none to name, also where it counts them as the NEMA scans do.
    """
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if frames and "NumberOfFrames" in source and source.SOPClassUID != SecondaryCaptureImageStorage:
        item.ReferencedFrameNumber = list(frames)
    return item


def selected_frames(reading: Reading) -> Iterator[tuple[Dataset, list[int]]]:
    """Yield each source with the frames that were read in it, counted from 1."""
    for source in reading.scan.sources:
        frames = sorted(view.frame for view in reading.finding.views if view.sop_instance_uid == source.SOPInstanceUID)
        if frames:
            yield source, frames


def _series(uid: str, instances: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ReferencedSOPSequence = instances
    return series


def first_with(sources: Iterable[Dataset], keyword: str) -> Dataset | None:
    """Return the first header that has a value for `keyword`."""
    return next((source for source in sources if source.get(keyword)), None)


def _copy(sources: Sequence[Dataset], result: Dataset, keywords: Iterable[str]) -> None:
    for keyword in keywords:
        if source := first_with(sources, keyword):
            result.add(source[keyword])


def _stamp(result: Dataset, encoded_at: datetime) -> None:
    """Write the time of encoding, in the time zone that the study's own times are in when that is known."""
    offset = str(result.get("TimezoneOffsetFromUTC", ""))
    if re.fullmatch(r"[+-](0\d|1[0-4])[0-5]\d", offset):
        encoded_at = encoded_at.astimezone(datetime.strptime(offset, "%z").tzinfo)
    else:
        result.pop("TimezoneOffsetFromUTC", None)
    result.ContentDate = result.InstanceCreationDate = f"{encoded_at:%Y%m%d}"
    result.ContentTime = result.InstanceCreationTime = f"{encoded_at:%H%M%S.%f}"


def _sign(result: Dataset) -> None:
    """Name our equipment as the maker (PS3.3 C.7.5.1, C.7.5.2); software has no serial number but its version."""
    result.Manufacturer = EQUIPMENT.manufacturer
    result.ManufacturerModelName = EQUIPMENT.model
    result.SoftwareVersions = EQUIPMENT.version
    result.DeviceSerialNumber = EQUIPMENT.version


def _file_meta(result: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = result.SOPClassUID
    meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta
