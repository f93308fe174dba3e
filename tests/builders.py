"""Small studies for tests: strict whole-body scans of a body-shaped count image, and every way to get one wrong."""

from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, CTImageStorage, SecondaryCaptureImageStorage, generate_uid

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView
from scintiflow.dicom.identity import EQUIPMENT
from scintiflow.dicom.selection import Candidate, candidate
from scintiflow.dicom.writing import Patient, whole_body_image

PATIENT = Patient("Simulated^Patient", "SIM-0001", date(1950, 2, 28), "F")
OTHER_PATIENT = Patient("Simulated^Other", "SIM-0002", date(1961, 7, 5), "M")
ACQUIRED_AT = datetime(2025, 3, 1, 13, 30)
ANTERIOR, POSTERIOR = 180.0, 0.0
"""Start angles of a detector that looks at the front, and at the back."""

MARKED = 40
"""Counts of the pixel in the upper left corner of frame 1, 41 of frame 2, and so on: frames can be told apart."""


def body_counts(frames: int = 2, rows: int = 256, cols: int = 64, seed: int = 0) -> NDArray[np.uint16]:
    """Return [frames, rows, cols] counts: head, trunk and legs in a little background, each frame its own noise."""
    down, across = np.mgrid[0.5:rows, 0.5:cols]
    down, across = down / rows, np.abs(across / cols - 0.5)
    head = (down - 0.12) ** 2 / 0.05**2 + across**2 / 0.12**2 < 1
    trunk = (down > 0.18) & (down < 0.52) & (across < 0.28)
    legs = (down >= 0.52) & (down < 0.92) & (across > 0.03) & (across < 0.17)
    rate = np.where(head | trunk | legs, 6.0, 0.3)
    counts = np.random.default_rng(seed).poisson(rate, (frames, rows, cols)).astype(np.uint16)
    counts[:, 0, 0] = MARKED + np.arange(frames)
    return counts


def scan(counts: NDArray[np.uint16] | None = None, **arguments: Any) -> Dataset:
    """Return a delayed bone scan, anterior and posterior, as `whole_body_image` writes it with these arguments."""
    usual: dict[str, Any] = {"patient": PATIENT, "acquired_at": ACQUIRED_AT, "study_uid": study_uid("usual")}
    return whole_body_image(body_counts() if counts is None else counts, **usual | arguments)


def one_view(start_angle: float, **arguments: Any) -> Dataset:
    """Return an object with a single frame, anterior or posterior by its start angle and view code."""
    counts = body_counts(1, seed=round(start_angle))
    return scan(counts, start_angles=(start_angle,), **arguments)


def study_uid(name: str) -> UID:
    """Return a Study Instance UID that stays the same for a name."""
    return UID(generate_uid(prefix="2.25.", entropy_srcs=[name]))


def without_evidence(image: Dataset) -> Dataset:
    """Remove everything that says which frame is anterior, but the order of the detectors."""
    for detector in image.DetectorInformationSequence:
        detector.pop("ViewCodeSequence", None)
        detector.pop("StartAngle", None)
    image.SeriesDescription = "Whole body bone scan"
    return image


def with_angles(image: Dataset, *angles: float) -> Dataset:
    """Let only these start angles say which frame is anterior."""
    without_evidence(image)
    for detector, angle in zip(image.DetectorInformationSequence, angles, strict=True):
        detector.StartAngle = angle
    return image


def with_view_codes(image: Dataset, *views: Code | None) -> Dataset:
    """Give each detector a coded view, or an empty sequence."""
    for detector, view in zip(image.DetectorInformationSequence, views, strict=True):
        detector.ViewCodeSequence = [coded(view)] if view else []
    return image


def with_ge_names(image: Dataset, *names: str) -> Dataset:
    """Name the pictures as GE consoles do, in both private elements."""
    block = image.private_block(0x0011, "GEMS_GENIE_1", create=True)
    block.add_new(0x12, "LO", list(names))
    block.add_new(0x30, "LO", list(names))
    return image


def two_windows(*, photopeak: int = 1) -> Dataset:
    """Return four frames: two energy windows, photopeak and scatter in the order asked for, by two detectors."""
    image = scan(body_counts(4), start_angles=(ANTERIOR, POSTERIOR, ANTERIOR, POSTERIOR))
    image.DetectorInformationSequence = image.DetectorInformationSequence[:2]
    image.NumberOfDetectors = 2
    image.DetectorVector = [1, 2, 1, 2]
    image.EnergyWindowVector = [1, 1, 2, 2]
    image.NumberOfEnergyWindows = 2
    peak = image.EnergyWindowInformationSequence[0]
    image.EnergyWindowInformationSequence = [peak, energy_window(108, 129)][:: 1 if photopeak == 1 else -1]
    return image


def energy_window(low_kev: float, high_kev: float) -> Dataset:
    """Return an item of Energy Window Information Sequence."""
    limits = Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = low_kev, high_kev
    window = Dataset()
    window.EnergyWindowRangeSequence = [limits]
    return window


def secondary_capture(image: Dataset) -> Dataset:
    """Store a scan as a monochrome Secondary Capture with Modality NM, as the NEMA samples are."""
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    image.ConversionType = "WSD"
    return image


def our_result(image: Dataset) -> Dataset:
    """Return a Secondary Capture that our own software made from a scan."""
    result = secondary_capture(deepcopy(image))
    result.SOPInstanceUID = result.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    result.Manufacturer, result.ManufacturerModelName = EQUIPMENT.manufacturer, EQUIPMENT.model
    return result


def injected(image: Dataset, before: timedelta) -> Dataset:
    """Move the injection to some time before the acquisition."""
    at = datetime.strptime(image.AcquisitionDate + image.AcquisitionTime, "%Y%m%d%H%M%S") - before
    image.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = f"{at:%Y%m%d%H%M%S}"
    image.RadiopharmaceuticalInformationSequence[0].pop("RadiopharmaceuticalStartTime", None)
    return image


def labelled(image: Dataset, *, nuclide: Code | None = None, tracer: Code | None = None, text: str = "") -> Dataset:
    """Replace what the header says was injected; None and "" leave it unsaid."""
    dose = image.RadiopharmaceuticalInformationSequence[0]
    dose.RadionuclideCodeSequence = [coded(nuclide)] if nuclide else []
    dose.RadiopharmaceuticalCodeSequence = [coded(tracer)] if tracer else []
    dose.Radiopharmaceutical = text
    return image


def coded(code: Code) -> Dataset:
    """Return a sequence item with a code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[:3]
    return item


def changed(**elements: Any) -> Callable[[], Dataset]:
    """Return what builds a scan with some elements changed (None removes one)."""

    def build() -> Dataset:
        image = scan()
        for keyword, value in elements.items():
            if value is None:
                image.pop(keyword, None)
            else:
                setattr(image, keyword, value)
        return image

    return build


def stored(image: Dataset, at: float = 0.0) -> Candidate:
    """Return what selection sees of an object on disk."""
    data = file_bytes(image)
    header = deepcopy(image)
    header.pop("PixelData", None)
    return candidate(sha256(data).hexdigest(), at, header, len(data))


def file_bytes(image: Dataset) -> bytes:
    """Return the DICOM file of an object."""
    file = BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


def store(image: Dataset, folder: Path) -> str:
    """Write an object into a folder under its digest, and return the digest."""
    data = file_bytes(image)
    digest = sha256(data).hexdigest()
    (folder / f"{digest}.dcm").write_bytes(data)
    return digest


def both_views(digest: str) -> list[SelectedView]:
    """Select frame 1 as anterior and frame 2 as posterior."""
    return [
        SelectedView(view=VIEW_ANTERIOR, digest=digest, frame=1),
        SelectedView(view=VIEW_POSTERIOR, digest=digest, frame=2),
    ]


def having(image: Dataset, **elements: Any) -> Dataset:
    """Return the object with some elements changed."""
    for keyword, value in elements.items():
        setattr(image, keyword, value)
    return image


IODINE = Code("1368003", "SCT", "^131^Iodine")
NOT_FOR_US: dict[str, tuple[Callable[[], Dataset], str]] = {
    "CT": (changed(SOPClassUID=CTImageStorage, Modality="CT"), "CT Image Storage"),
    "structured report": (changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.34", Modality="SR"), "SR Storage"),
    "private class": (changed(SOPClassUID="1.2.3.4"), "foreign object"),
    "capture of another modality": (lambda: secondary_capture(changed(Modality="OT")()), "modality"),
    "static view": (changed(ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]), "a static view"),
    "SPECT": (changed(ImageType=["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]), "SPECT"),
    "reconstruction": (changed(ImageType=["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]), "SPECT"),
    "dynamic": (changed(ImageType=["ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION"]), "dynamic"),
    "transmission": (changed(ImageType=["ORIGINAL", "PRIMARY", "WHOLE BODY", "TRANSMISSION"]), "transmission"),
    "colour": (changed(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "screen capture"),
    "palette": (changed(PhotometricInterpretation="PALETTE COLOR"), "screen capture"),
    "8 bits": (changed(BitsAllocated=8, BitsStored=8, HighBit=7), "screen capture"),
    "burned-in text": (changed(BurnedInAnnotation="YES"), "screen capture"),
    "square": (changed(ImageType=["DERIVED", "SECONDARY"], Rows=512, Columns=512), "shape"),
    "wide": (changed(Rows=256, Columns=512), "taller"),
    "many frames": (changed(NumberOfFrames=2_000_000_000), "frames"),
    "iodine": (lambda: labelled(scan(), nuclide=IODINE), "radionuclide is 131 Iodine"),
    "high energy": (
        lambda: having(labelled(scan()), EnergyWindowInformationSequence=[energy_window(328, 400)]),
        "140 keV",
    ),
    "scatter window": (
        lambda: having(scan(), EnergyWindowInformationSequence=[energy_window(108, 129)]),
        "140 keV",
    ),
    "MIBG by code": (
        lambda: labelled(scan(), nuclide=codes.SCT._99mTechnetium, tracer=Code("395787009", "SCT", "anything")),
        "MIBG",
    ),
    "sestamibi by legacy code": (lambda: labelled(scan(), tracer=Code("C-163AB", "SNM3", "")), "sestamibi"),
    "PSMA by text": (lambda: labelled(scan(), text="Tc-99m PSMA-I&S"), "PSMA"),
    "iodine by series": (
        lambda: having(labelled(scan()), SeriesDescription="WB 131-I day 5", StudyDescription=""),
        "iodine",
    ),
    "blood pool by time": (lambda: injected(scan(), timedelta(minutes=12)), "0 h 12 min after injection"),
    "just too early": (lambda: injected(scan(), timedelta(hours=1, minutes=59)), "1 h 59 min"),
    "too late": (lambda: injected(scan(), timedelta(hours=5, minutes=1)), "5 h 01 min"),
    "blood pool by text": (changed(SeriesDescription="WB Blood-Pool"), "early phase"),
    "blood pool in German": (changed(SeriesDescription="Ganzkörper Blutpool"), "early phase"),
    "early by text": (changed(SeriesDescription="Bone WB EARLY"), "early phase"),
    "early phase in German": (changed(SeriesDescription="Skelett Frühphase"), "early phase"),
    "child": (changed(PatientBirthDate="20080301", PatientAge="017Y"), "child"),
    "child by age": (changed(PatientBirthDate="", PatientAge="011M"), "child"),
    "lossy": (changed(LossyImageCompression="01", LossyImageCompressionRatio=["76", "400"]), "400:1"),
}
"""Name -> how to build an object that is not for us, and what the reason says of it."""
