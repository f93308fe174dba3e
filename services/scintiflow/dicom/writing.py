"""Writes whole-body bone scans as strict NM objects: what the examples, the tests and the phantom share.

Strict means that `dciodvfy` finds no error (PS3.3 A.5, NM Image IOD). The same arguments always give the
same object, UIDs included, so an example file can be rebuilt bit by bit.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, NuclearMedicineImageStorage
from pydicom.valuerep import VR

from scintiflow.dicom.identity import EQUIPMENT, IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from scintiflow.dicom.recurring import recurring

MDP = Code("96390006", "SCT", "Technetium Tc^99m^ medronate")
"""Methylene diphosphonate (DICOM CID 25), the commonest bone tracer."""

TRACERS = {
    "MDP": MDP,
    "HDP": codes.SCT.TechnetiumTc99mOxidronate,
    "PYP": codes.SCT.TechnetiumTc99mPyrophosphate,
    "DPD": Code("DPD", "99SCINTIFLOW", "Technetium Tc^99^m DPD"),
}
"""By their usual names: DICOM CID 25, which has none for DPD."""

SCAN_SPEED = 2.5
"""Millimetres a second: 15 cm a minute, a usual table speed for a whole-body bone scan."""

_VIEW_AT = {180: codes.SCT.AnteriorProjection, 0: codes.SCT.PosteriorProjection}


class Patient(NamedTuple):
    """Who was scanned. Patients that we write are simulated, and their names say so."""

    name: str
    id: str
    born: date | None
    """None where nobody knows."""
    sex: Literal["F", "M", "O", ""] = "O"
    """Empty where nobody knows."""


def whole_body_image(
    counts: NDArray[np.uint16],
    *,
    patient: Patient,
    acquired_at: datetime,
    injected_at: datetime | None = None,
    pixel_mm: tuple[float, float] = (2.4, 2.4),
    start_angles: Sequence[float] = (180.0, 0.0),
    tracer: Code | None = MDP,
    study_uid: str | None = None,
    synthetic: bool = False,
    transfer_syntax: UID = ExplicitVRLittleEndian,
) -> Dataset:
    """Describe one whole-body acquisition as an NM object, one frame for each detector.

    Args:
        counts: [frames, rows, cols]; the posterior frame as seen from behind.
        patient: name, identifier, date of birth and sex.
        acquired_at: local time at which the scan began.
        injected_at: local time of injection; three hours before the scan when not given.
        pixel_mm: row and column spacing in millimetres.
        start_angles: for each frame, degrees from the patient's back: 180 looks at the front, 0 at the back.
        tracer: radiopharmaceutical labelled with Tc-99m (CID 25), or None to leave it unsaid.
        study_uid: Study Instance UID; derived from patient and time when not given.
        synthetic: whether to mark the object with Synthetic Data (0008,001C) = YES.
        transfer_syntax: Explicit VR Little Endian, or a lossless compression (JPEG-LS, RLE).

    Returns:
        A dataset with file meta information, ready for `save_as(..., enforce_file_format=True)`.
    """
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    image.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    image.update(_subject(patient, acquired_at))
    image.update(_identity(counts, patient, acquired_at, study_uid))
    image.update(_equipment(synthetic))
    image.update(_isotope(tracer, f"{injected_at or acquired_at - timedelta(hours=3):%H%M%S}"))
    image.update(_detectors(*start_angles))
    image.update(_scan(counts.shape[1] * pixel_mm[0]))
    image.update(_pixels(counts, pixel_mm))
    if transfer_syntax.is_compressed:
        image.compress(transfer_syntax, generate_instance_uid=False)
    return image


def _subject(patient: Patient, acquired_at: datetime) -> Dataset:
    subject = Dataset()
    subject.SpecificCharacterSet = "ISO_IR 192"
    subject.PatientName = patient.name
    subject.PatientID = patient.id
    subject.PatientBirthDate = f"{patient.born:%Y%m%d}" if patient.born else ""
    subject.PatientSex = patient.sex
    if patient.born:
        subject.PatientAge = f"{_years(patient.born, acquired_at.date()):03d}Y"
    return subject


def _years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _identity(counts: NDArray[np.uint16], patient: Patient, acquired_at: datetime, study_uid: str | None) -> Dataset:
    study = study_uid or _uid("study", patient.id, acquired_at.isoformat())
    content = sha256(np.ascontiguousarray(counts).data).hexdigest()
    identity = Dataset()
    identity.SOPClassUID = NuclearMedicineImageStorage
    identity.SOPInstanceUID = _uid("image", study, acquired_at.isoformat(), content)
    identity.StudyInstanceUID = study
    identity.SeriesInstanceUID = _uid("series", study, acquired_at.isoformat())
    identity.Modality = "NM"
    identity.StudyID = f"{acquired_at:%Y%m%d%H%M}"
    identity.AccessionNumber = ""
    identity.ReferringPhysicianName = ""
    identity.StudyDescription = "Whole body bone scan"
    identity.SeriesDescription = "Whole body bone scan"
    identity.BodyPartExamined = "WHOLEBODY"
    identity.SeriesNumber = 1
    identity.InstanceNumber = 1
    for moment in ("Study", "Series", "Acquisition", "Content"):
        setattr(identity, f"{moment}Date", f"{acquired_at:%Y%m%d}")
        setattr(identity, f"{moment}Time", f"{acquired_at:%H%M%S}")
    return identity


def _uid(*parts: str) -> UID:
    """Derive a UID of the form 2.25.<128 bits> (PS3.5 B.2) from what it stands for."""
    return UID(f"2.25.{int.from_bytes(sha256(chr(0).join(parts).encode()).digest()[:16])}")


@recurring
def _equipment(synthetic: bool) -> Dataset:
    equipment = Dataset()
    equipment.Manufacturer = EQUIPMENT.manufacturer
    equipment.ManufacturerModelName = EQUIPMENT.model
    equipment.SoftwareVersions = EQUIPMENT.version
    if synthetic:
        maker = Dataset()
        maker.update(equipment)
        maker.PurposeOfReferenceCodeSequence = [_coded(codes.DCM.SynthesizingEquipment)]
        equipment.ContributingEquipmentSequence = [maker]
        equipment.SyntheticData = "YES"
    return equipment


@recurring
def _isotope(tracer: Code | None, injected_at: str) -> Dataset:
    """PS3.3 C.8.4.10: one window of 15 % around 140.5 keV, and what was injected when."""
    photopeak = Dataset()
    photopeak.EnergyWindowLowerLimit = 130.0
    photopeak.EnergyWindowUpperLimit = 151.0
    window = Dataset()
    window.EnergyWindowName = "Tc-99m"
    window.EnergyWindowRangeSequence = [photopeak]
    dose = Dataset()
    dose.RadionuclideCodeSequence = [_coded(codes.SCT._99mTechnetium)]
    dose.RadiopharmaceuticalStartTime = injected_at
    if tracer:
        dose.Radiopharmaceutical = tracer.meaning
        dose.RadiopharmaceuticalCodeSequence = [_coded(tracer)]
    isotope = Dataset()
    isotope.EnergyWindowInformationSequence = [window]
    isotope.RadiopharmaceuticalInformationSequence = [dose]
    isotope.NumberOfEnergyWindows = 1
    return isotope


@recurring
def _detectors(*start_angles: float) -> Dataset:
    """PS3.3 C.8.4.11: a detector for each frame; its angle says which side of the patient it sees."""
    detectors = Dataset()
    detectors.DetectorInformationSequence = [_detector(angle) for angle in start_angles]
    detectors.NumberOfDetectors = len(start_angles)
    return detectors


def _detector(angle: float) -> Dataset:
    detector = Dataset()
    detector.CollimatorGridName = "LEHR"
    detector.CollimatorType = "PARA"
    detector.StartAngle = angle
    detector.ImageOrientationPatient = None
    detector.ImagePositionPatient = None
    view = _VIEW_AT.get(round(angle) % 360)
    if view:
        detector.ViewCodeSequence = [_coded(view)]
    return detector


@recurring
def _scan(length_mm: float) -> Dataset:
    """PS3.3 C.8.4.9: a supine patient, head first, on a table that moves `length_mm` past both detectors."""
    scan = Dataset()
    scan.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    scan.PatientOrientationCodeSequence = [_coded(codes.SCT.Recumbent)]
    scan.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [_coded(codes.SCT.Supine)]
    scan.PatientGantryRelationshipCodeSequence = [_coded(codes.SCT.Headfirst)]
    scan.ScanLength = round(length_mm)
    scan.ScanVelocity = SCAN_SPEED
    scan.ActualFrameDuration = round(1000 * length_mm / SCAN_SPEED)
    scan.WholeBodyTechnique = "1PS"
    return scan


def _pixels(counts: NDArray[np.uint16], pixel_mm: tuple[float, float]) -> Dataset:
    frames, rows, cols = counts.shape
    pixels = Dataset()
    pixels.NumberOfFrames = frames
    pixels.FrameIncrementPointer = [Tag("EnergyWindowVector"), Tag("DetectorVector")]
    pixels.EnergyWindowVector = [1] * frames
    pixels.DetectorVector = list(range(1, frames + 1))
    pixels.Rows, pixels.Columns = rows, cols
    pixels.PixelSpacing = list(pixel_mm)
    pixels.SamplesPerPixel = 1
    pixels.PhotometricInterpretation = "MONOCHROME2"
    pixels.BitsAllocated, pixels.BitsStored, pixels.HighBit = 16, 16, 15
    pixels.PixelRepresentation = 0
    pixels.CountsAccumulated = int(counts.sum(dtype=np.int64))
    pixels.add_new("PixelData", VR.OW, counts.astype("<u2").tobytes())
    return pixels


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
