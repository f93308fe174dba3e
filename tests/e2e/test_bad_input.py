"""Bad input ends in a sentence, and hurts nobody else."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import AE

from scintiflow.dicom.c_store import c_store
from scintiflow.receiver.status import STATUS
from scintiflow.records import read_findings
from tests.builders import (
    NOT_FOR_US,
    OTHER_PATIENT,
    POSTERIOR,
    body_counts,
    injected,
    labelled,
    one_view,
    scan,
    with_view_codes,
    without_evidence,
)
from tests.pacs import Pacs
from tests.raw_store import data_set, send_bytes
from tests.stack import EXAMPLES, Stack, copies, send
from tests.waiting import wait_for

SUCCESS = STATUS["stored"]
FRONT, BACK = codes.SCT.AnteriorProjection, codes.SCT.PosteriorProjection


def not_for_us(name: str) -> Callable[[], list[Dataset]]:
    """Return what builds a study of one object that is not for us."""
    return lambda: [NOT_FOR_US[name][0]()]


def without_detector_vector() -> list[Dataset]:
    """A scan that does not say which detector made which frame."""
    image = scan()
    del image.DetectorVector
    return [image]


def codes_against_angles() -> list[Dataset]:
    """A scan whose coded views contradict its start angles."""
    return [with_view_codes(scan(), BACK, FRONT)]


def two_fronts() -> list[Dataset]:
    """A scan that codes both of its frames as anterior."""
    return [with_view_codes(without_evidence(scan()), FRONT, FRONT)]


def broken_jpeg_2000() -> list[Dataset]:
    """A scan whose codestream has a sound header and nonsense behind it."""
    image = scan()
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    frames = list(generate_frames(image.PixelData, number_of_frames=2))
    image.PixelData = encapsulate([frame[:120] + b"\xff" * (len(frame) - 122) + frame[-2:] for frame in frames])
    return [image]


def two_patients() -> list[Dataset]:
    """Halves of a pair that belong to different people, under one Study Instance UID."""
    return [one_view(180.0), one_view(POSTERIOR, patient=OTHER_PATIENT)]


IMAGE = scan()
WHOLE = data_set(IMAGE)
REFUSED = {
    "another SOP class": (SecondaryCaptureImageStorage, IMAGE.SOPInstanceUID, WHOLE, "unreadable"),
    "another SOP instance": (IMAGE.SOPClassUID, "1.2.3", WHOLE, "mismatch"),
    "a path for a UID": (IMAGE.SOPClassUID, "../../../../tmp/x", WHOLE, "unreadable"),
    "pixel data cut short": (IMAGE.SOPClassUID, IMAGE.SOPInstanceUID, WHOLE[:-2], "unreadable"),
    "not DICOM": (IMAGE.SOPClassUID, IMAGE.SOPInstanceUID, b"%PDF-1.7" * 99, "unreadable"),
}

STUDIES: dict[str, tuple[Callable[[], list[Dataset]], str, str]] = {
    "a static view": (not_for_us("static view"), "declined", "a static view"),
    "blood pool": (lambda: [injected(scan(), timedelta(minutes=12))], "declined", "12 min after injection"),
    "I-131": (not_for_us("iodine"), "declined", "131 Iodine"),
    "zero counts": (lambda: [scan(body_counts() * 0)], "declined", "holds no counts"),
    "both frames coded as anterior": (two_fronts, "parked", "anterior"),
    "an undecodable JPEG 2000": (broken_jpeg_2000, "parked", "cannot be decoded"),
    "two patients in one study": (two_patients, "parked", "patient"),
    "one view only": (lambda: [one_view(180.0)], "incomplete", "posterior view missing"),
    "no detector vector": (without_detector_vector, "delivered", "sent to pacs"),
    "codes against angles": (codes_against_angles, "delivered", "sent to pacs"),
    "tracer unknown": (lambda: [labelled(scan())], "delivered", "sent to pacs"),
}


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_ends_with_its_reason_and_the_next_one_passes(stack: Stack, pacs: Pacs, name: str) -> None:
    """Each is acknowledged and kept, ends as stated in a sentence, and a good study behind it is delivered."""
    build, state, words = STUDIES[name]
    study, good = _under_one_uid(build()), copies(EXAMPLES, 1)
    assert set(send(stack.dicom_port, [*study, *good])) == {SUCCESS}
    outcome = stack.outcome(study[0].StudyInstanceUID)
    assert (outcome.state, words in outcome.reason) == (state, True), outcome
    assert stack.outcome(good[0].StudyInstanceUID).state == "delivered"
    sent = pacs.of_study(study[0].StudyInstanceUID)
    assert len(sent) == (2 if state == "delivered" else 0), "results only of what was read"


@pytest.mark.parametrize("fault", REFUSED)
def test_an_object_refused_at_the_door_leaves_the_line_alone(stack: Stack, fault: str) -> None:
    """A malformed object gets its status, and the next good study on the same association is delivered."""
    sop_class, sop_instance, data, outcome = REFUSED[fault]
    good = copies(EXAMPLES, 1)[0]
    entity = AE("PACS")
    entity.add_requested_context(good.SOPClassUID, ExplicitVRLittleEndian)
    entity.add_requested_context(good.SOPClassUID, good.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", stack.dicom_port, ae_title="SCINTIFLOW")
    assert send_bytes(association, sop_class, sop_instance, data) == STATUS[outcome]
    assert c_store(association, good).Status == SUCCESS
    association.release()
    assert stack.outcome(good.StudyInstanceUID).state == "delivered"


def test_an_unknown_title_is_rejected_and_a_known_one_served(stack: Stack) -> None:
    """A stranger gets no association; the allowed sender after it does."""
    good = copies(EXAMPLES, 1)
    with pytest.raises(AssertionError, match="not accepted"):
        send(stack.dicom_port, good, calling="STRANGER")
    assert send(stack.dicom_port, good) == [SUCCESS]
    assert stack.outcome(good[0].StudyInstanceUID).state == "delivered"


def test_the_same_name_with_other_bytes_is_kept_and_said(stack: Stack, pacs: Pacs) -> None:
    """Both contents are kept, the first one is used, and there is one set of results."""
    first = _under_one_uid([scan()])[0]
    second = scan(body_counts(seed=1), study_uid=first.StudyInstanceUID)
    second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    uid = first.StudyInstanceUID
    assert send(stack.dicom_port, [first]) == [SUCCESS]
    stack.outcome(uid)
    assert send(stack.dicom_port, [second]) == [SUCCESS]
    wait_for(lambda: stack.record(uid).events[-1]["event"] == "unchanged")
    assert len(stack.record(uid).objects) == 2
    assert len(pacs.of_study(uid)) == 2
    assert len(read_findings(stack.store, stack.record(uid).folder, 1)) == 1


def _under_one_uid(study: list[Dataset]) -> list[Dataset]:
    """Give the objects of a study a Study Instance UID of their own."""
    uid = generate_uid()
    for image in study:
        image.StudyInstanceUID = uid
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return study
