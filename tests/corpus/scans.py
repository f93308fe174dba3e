"""Sound objects that tell a scan badly: vectors, views, dates, numbers, and studies that are two."""

import struct
from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from tests.builders import OTHER_PATIENT, one_view, scan, with_angles, with_view_codes, without_evidence
from tests.corpus.fault import Fault, Raw, Sent, fresh, sent

_WINDOW_VECTOR, _DETECTOR_VECTOR = 0x00540010, 0x00540020
FRONT, BACK = codes.SCT.AnteriorProjection, codes.SCT.PosteriorProjection
_SPACING = 0x00280030


def having(**elements: object) -> Callable[[], Sent]:
    """Return what builds a scan with some elements changed."""
    return lambda: sent(fresh(**elements))


def with_raw(*pieces: Raw) -> Callable[[], Sent]:
    """Return what builds a scan with these elements."""
    return lambda: sent(fresh(), *pieces)


def vector(tag: int, *numbers: int) -> Callable[[], Sent]:
    """Return what builds a scan with this vector."""
    return with_raw(Raw(tag, b"US", struct.pack(f"<{len(numbers)}H", *numbers)))


def seen(change: Callable[[Dataset], Dataset]) -> Callable[[], Sent]:
    """Return what builds a scan with other evidence of its views."""
    return lambda: sent(change(fresh()))


def pair(**of_second: object) -> Callable[[], list[Sent]]:
    """Return what builds two objects of one study, the second one with some elements changed."""

    def build() -> list[Sent]:
        uid = generate_uid()
        front, back = one_view(180.0, study_uid=uid), one_view(0.0, study_uid=uid)
        for keyword, value in of_second.items():
            setattr(back, keyword, value)
        return [sent(front), sent(back)]

    return build


def two_patients() -> list[Sent]:
    """Halves of a pair that belong to different people."""
    uid = generate_uid()
    return [sent(one_view(180.0, study_uid=uid)), sent(one_view(0.0, study_uid=uid, patient=OTHER_PATIENT))]


def same_name_other_bytes() -> list[Sent]:
    """One SOP Instance UID, two contents."""
    first = fresh()
    second = scan(study_uid=first.StudyInstanceUID, pixel_mm=(2.5, 2.5))
    second.SOPInstanceUID = first.SOPInstanceUID
    return [sent(first), sent(second)]


def both_codes(image: Dataset) -> Dataset:
    """Give the first detector both views."""
    item, other = (detector.ViewCodeSequence[0] for detector in image.DetectorInformationSequence)
    image.DetectorInformationSequence[0].ViewCodeSequence = [item, other]
    return image


def raw_angle(image: Dataset, value: bytes) -> Dataset:
    """Give the first detector an angle that pydicom would not write."""
    without_evidence(image)
    image.DetectorInformationSequence[0].add_new(0x00540200, "LO", value.decode())
    return image


FAULTS: dict[str, Fault] = {
    # which frame is what
    "a window vector too short": Fault(vector(_WINDOW_VECTOR, 1), "read"),
    "a window vector too long": Fault(vector(_WINDOW_VECTOR, 1, 1, 1), "read"),
    "a window vector of 32,000": Fault(vector(_WINDOW_VECTOR, *[1] * 32_000), "read"),
    "windows that are not there": Fault(vector(_WINDOW_VECTOR, 7, 7), "declined", "140 keV"),
    "windows numbered 0": Fault(vector(_WINDOW_VECTOR, 0, 0), "declined", "140 keV"),
    "a detector vector too short": Fault(vector(_DETECTOR_VECTOR, 1), "read"),
    "a detector vector too long": Fault(vector(_DETECTOR_VECTOR, 1, 2, 1), "read"),
    "detectors that are not there": Fault(vector(_DETECTOR_VECTOR, 8, 9), "declined", "which view"),
    "detectors numbered 0": Fault(vector(_DETECTOR_VECTOR, 0, 0), "declined", "which view"),
    "one detector for both": Fault(vector(_DETECTOR_VECTOR, 1, 1), "parked", "anterior"),
    "a vector of 3 bytes": Fault(with_raw(Raw(_DETECTOR_VECTOR, b"US", b"\1\0\2")), "read"),
    "a vector of text": Fault(with_raw(Raw(_DETECTOR_VECTOR, b"LO", b"one\\two ")), "read"),
    "2^31 detectors": Fault(with_raw(Raw(0x00540021, b"UL", b"\xff\xff\xff\x7f")), "read"),
    "no detectors": Fault(having(DetectorInformationSequence=[], NumberOfDetectors=0), "read"),
    "evidence against evidence": Fault(seen(lambda image: with_view_codes(image, BACK, FRONT)), "read"),
    "two fronts": Fault(
        seen(lambda image: with_view_codes(without_evidence(image), FRONT, FRONT)), "parked", "anterior"
    ),
    "a detector that is both": Fault(seen(both_codes), "parked", "both anterior and posterior"),
    "angles that are no numbers": Fault(seen(lambda image: raw_angle(image, b"NaN ")), "read"),
    "an angle of 10^9": Fault(seen(lambda image: with_angles(image, 1e9, 0.0)), "read"),
    "an enhanced multi-frame": Fault(
        lambda: sent(fresh(SOPClassUID="1.2.840.10008.5.1.4.1.1.130")), "declined", "only planar"
    ),
    # numbers and dates
    "a pixel spacing that is none": Fault(with_raw(Raw(_SPACING, b"DS", b"NaN\\inf ")), "read"),
    "a pixel spacing of 70 digits": Fault(with_raw(Raw(_SPACING, b"DS", b"1" * 70 + b"\\" + b"1" * 69)), "read"),
    "a pixel spacing of nought": Fault(with_raw(Raw(_SPACING, b"DS", b"0\\0 ")), "read"),
    "a pixel spacing below nought": Fault(with_raw(Raw(_SPACING, b"DS", b"-2\\-2 ")), "read"),
    "three pixel spacings": Fault(with_raw(Raw(_SPACING, b"DS", b"2\\2\\2 ")), "read"),
    "a million pixel spacings": Fault(with_raw(Raw(_SPACING, b"DS", b"2\\" * 32_000)), "read"),
    "a window centre that is none": Fault(
        with_raw(Raw(0x00281050, b"DS", b"NaN "), Raw(0x00281051, b"DS", b"inf ")), "read"
    ),
    "counts that are no number": Fault(with_raw(Raw(0x00180070, b"IS", b"1e9 ")), "read"),
    "counts of 70 digits": Fault(with_raw(Raw(0x00180070, b"IS", b"9" * 70)), "read"),
    "a day that never was": Fault(having(StudyDate="20250230", AcquisitionDate="20251399"), "read"),
    "a day of letters": Fault(with_raw(Raw(0x00080022, b"DA", b"yesterday ")), "read"),
    "the year 0": Fault(with_raw(Raw(0x00080022, b"DA", b"00000101")), "read"),
    "25 o'clock": Fault(with_raw(Raw(0x00080032, b"TM", b"256161")), "read"),
    "a time zone that is none": Fault(with_raw(Raw(0x00080201, b"SH", b"+9999 ")), "read"),
    "born tomorrow": Fault(having(PatientBirthDate="20991231"), "read"),
    "born three times": Fault(with_raw(Raw(0x00100030, b"DA", b"19500101\\19500102")), "read"),
    "999 years old": Fault(having(PatientBirthDate="", PatientAge="999Y"), "read"),
    "numbers as texts": Fault(with_raw(Raw(0x00180070, b"UT", b"many")), "read"),
    "a sequence as a text": Fault(with_raw(Raw(0x00540016, b"LO", b"Tc-99m ")), "read"),
    "a text as a sequence": Fault(with_raw(Raw(0x0008103E, b"SQ", b"")), "read"),
    # who is who
    "two patients": Fault(two_patients, "parked", "two patients"),
    "one patient, two names": Fault(pair(PatientName="Somebody^Else"), "parked", "two patients"),
    "one patient, two birthdays": Fault(pair(PatientBirthDate="19510101"), "parked", "two patients"),
    "one name, two patients": Fault(pair(PatientID="SIM-9999"), "parked", "two patients"),
    "no patient": Fault(having(PatientName="", PatientID="", PatientBirthDate=""), "read"),
    "two accession numbers": Fault(pair(AccessionNumber="A2"), "read"),
    "one instance, two contents": Fault(same_name_other_bytes, "read"),
    "a study of one view": Fault(lambda: sent(one_view(180.0, study_uid=generate_uid())), "read"),
}
