"""What is read of a study that holds more than one pair of views."""

from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR
from scintiflow.dicom.eligibility import DELAY_UNKNOWN, TRACER_UNKNOWN
from scintiflow.dicom.selection import DUPLICATE, Candidate, Selection, candidate, select
from scintiflow.errors import Refused
from scintiflow.probe.scan import probe_scan
from tests.builders import (
    ACQUIRED_AT,
    ANTERIOR,
    NOT_FOR_US,
    OTHER_PATIENT,
    POSTERIOR,
    file_bytes,
    having,
    injected,
    labelled,
    one_view,
    our_result,
    scan,
    secondary_capture,
    stored,
    two_windows,
    with_view_codes,
    without_evidence,
)

PROCESSED = ["DERIVED", "SECONDARY", "WHOLE BODY", "EMISSION"]
LATER = ACQUIRED_AT + timedelta(hours=1, minutes=30)


def of(*images: Dataset) -> Selection:
    """Select among objects stored one second after the other."""
    return select([stored(image, at=float(second)) for second, image in enumerate(images)])


def uids(selection: Selection) -> list[str]:
    """Return the SOP Instance UIDs of the selected views."""
    return [view.sop_instance_uid for view in selection.views]


def undated_injection(image: Dataset) -> Dataset:
    """Remove the time of injection."""
    image.RadiopharmaceuticalInformationSequence[0].pop("RadiopharmaceuticalStartTime")
    return image


def nema(name: str) -> Candidate:
    """Return one of the two NEMA scans that come with pydicom."""
    path = get_testdata_file(name)
    assert isinstance(path, str)
    return candidate(name, 0.0, dcmread(path, stop_before_pixels=True), Path(path).stat().st_size)


def test_one_object_of_two_frames_is_a_pair() -> None:
    """Its frames, classes, UIDs, rules and confidence are recorded, anterior first, and nothing need be waited for."""
    image = scan()
    selection = of(image)
    front, back = selection.views
    assert (front.view, front.frame, back.view, back.frame) == (VIEW_ANTERIOR, 1, VIEW_POSTERIOR, 2)
    assert front.sop_instance_uid == back.sop_instance_uid == image.SOPInstanceUID
    assert front.sop_class_uid == image.SOPClassUID
    assert (front.rule, front.confidence) == ("view code", "high")
    assert front.digest == stored(image).digest
    assert (selection.complete, selection.synthetic, selection.notes, selection.declined) == (True, False, (), {})


def test_two_objects_of_one_frame_pair() -> None:
    """Anterior and posterior stored apart are one acquisition, in whatever order they came."""
    selection = of(one_view(POSTERIOR), one_view(ANTERIOR))
    assert uids(selection) == [one_view(ANTERIOR).SOPInstanceUID, one_view(POSTERIOR).SOPInstanceUID]
    assert selection.complete


def test_a_single_view_is_selected_and_incomplete() -> None:
    """A later object may complete it."""
    selection = of(one_view(POSTERIOR))
    assert [view.view for view in selection.views] == [VIEW_POSTERIOR]
    assert not selection.complete


def test_nothing_selects_nothing() -> None:
    """A study without objects, or with none for us, has no views."""
    assert select([]) == ((), (), {}, False, False, False)


def test_every_other_object_is_declined_with_its_reason() -> None:
    """A whole clinical study of statics, SPECT, CT and captures leaves the pair, and a reason for each of the rest."""
    others = [having(build(), SOPInstanceUID=generate_uid()) for build, _ in NOT_FOR_US.values()]
    for other in others:
        other.PatientBirthDate = scan().PatientBirthDate
    statics = [other for other in others if "PatientAge" not in other or not other.PatientAge.endswith("M")]
    headers = [candidate(f"{number}", 0.0, other, None) for number, other in enumerate(statics)]
    selection = select([*headers, stored(scan())])
    assert uids(selection) == [scan().SOPInstanceUID] * 2
    assert len(selection.declined) >= len(headers) - 1
    assert all(reason.endswith(".") for reason in selection.declined.values())


def test_the_nema_scan_twice_never_pairs() -> None:
    """The usable copy is read alone and incomplete; the blur is declined with its ratio."""
    selection = select([nema("JPEG2000.dcm"), nema("JPGExtended.dcm")])
    assert [(view.digest, view.view) for view in selection.views] == [("JPGExtended.dcm", VIEW_ANTERIOR)]
    assert not selection.complete
    assert list(selection.declined) == ["JPEG2000.dcm"]
    assert "2097:1" in selection.declined["JPEG2000.dcm"]
    assert TRACER_UNKNOWN in selection.notes


def test_the_blur_alone_selects_nothing() -> None:
    """A study that holds nothing usable has a reason for each object."""
    selection = select([nema("JPEG2000.dcm")])
    assert selection.views == ()
    assert not selection.complete


def test_original_goes_before_processed() -> None:
    """A filtered copy, even a later one, is read only when the original is not there."""
    processed = having(scan(acquired_at=LATER), ImageType=PROCESSED)
    assert uids(of(processed, scan())) == [scan().SOPInstanceUID] * 2
    assert uids(of(processed)) == [processed.SOPInstanceUID] * 2


def test_delayed_goes_before_early() -> None:
    """The blood pool of a three-phase study is declined, and its delayed pair read."""
    early = injected(scan(acquired_at=ACQUIRED_AT - timedelta(hours=3)), timedelta(minutes=10))
    selection = of(early, scan())
    assert uids(selection) == [scan().SOPInstanceUID] * 2
    assert "10 min" in selection.declined[stored(early).digest]


def test_surely_delayed_goes_before_perhaps_delayed() -> None:
    """A pair whose time after injection is unknown yields to one that says it."""
    unknown = undated_injection(scan(acquired_at=LATER))
    assert uids(of(unknown, scan())) == [scan().SOPInstanceUID] * 2


def test_the_latest_complete_pair_is_read() -> None:
    """A repeated acquisition replaces the first one; a repeated single view does not."""
    repeated = scan(acquired_at=LATER)
    alone = one_view(ANTERIOR, acquired_at=LATER + timedelta(minutes=20))
    assert uids(of(scan(), repeated)) == [repeated.SOPInstanceUID] * 2
    assert uids(of(scan(), repeated, alone)) == [repeated.SOPInstanceUID] * 2


def test_views_of_two_acquisitions_never_pair() -> None:
    """An anterior and a posterior view more than an hour apart are two incomplete acquisitions."""
    selection = of(one_view(ANTERIOR), one_view(POSTERIOR, acquired_at=LATER))
    assert not selection.complete
    assert [view.view for view in selection.views] == [VIEW_POSTERIOR]


def test_repeated_single_views_pair_with_their_own() -> None:
    """Of two acquisitions stored as four one-frame objects, the later two belong together."""
    later = LATER - timedelta(minutes=10)
    images = [
        one_view(ANTERIOR),
        one_view(POSTERIOR, acquired_at=later + timedelta(minutes=20)),
        one_view(ANTERIOR, acquired_at=later),
        one_view(POSTERIOR, acquired_at=ACQUIRED_AT + timedelta(minutes=20)),
    ]
    assert uids(of(*images)) == [images[2].SOPInstanceUID, images[1].SOPInstanceUID]


def test_undated_single_views_pair() -> None:
    """Without any date there is nothing that speaks against one acquisition."""
    images = [one_view(ANTERIOR), one_view(POSTERIOR)]
    for image in images:
        for moment in ("Acquisition", "Content", "Series"):
            image.pop(f"{moment}Date")
            image.pop(f"{moment}Time")
    assert of(*images).complete


def test_an_original_never_pairs_with_a_processed_copy() -> None:
    """The two views of a pair have gone through the same processing, and have the same matrix."""
    assert not of(one_view(ANTERIOR), having(one_view(POSTERIOR), ImageType=PROCESSED)).complete
    assert not of(one_view(ANTERIOR), having(one_view(POSTERIOR), Rows=512)).complete


@pytest.mark.parametrize("photopeak", [1, 2])
def test_the_photopeak_pair_of_four_frames_is_read(photopeak: int) -> None:
    """Two windows by two detectors: the frames of the 140 keV window are the pair."""
    frames = [view.frame for view in of(two_windows(photopeak=photopeak)).views]
    assert frames == ([1, 2] if photopeak == 1 else [3, 4])


def test_two_patients_in_one_study_need_a_person() -> None:
    """A different identifier, name or date of birth refuses the study, even on an object that is not for us."""
    for image in (
        one_view(POSTERIOR, patient=OTHER_PATIENT),
        having(one_view(POSTERIOR), PatientID="SIM-0002"),
        having(one_view(POSTERIOR), PatientName="Simulated^Other"),
        having(one_view(POSTERIOR), PatientBirthDate="19500301"),
        having(one_view(POSTERIOR), Modality="CT", PatientID="SIM-0002"),
    ):
        with pytest.raises(Refused, match="two patients") as refused:
            of(one_view(ANTERIOR), image)
        assert "SIM" not in str(refused.value)


@pytest.mark.parametrize(
    "names",
    [
        ("Иванов^Иван", "Петров^Пётр"),
        ("山田^太郎", "鈴木^花子"),
        ("Øberg^A", "Berg^A"),
        ("Łoś^Jan", "Os^Jan"),
        ("Smith^A", "Jones^A"),
    ],
)
def test_two_names_in_any_script_are_two_patients(names: tuple[str, str]) -> None:
    """Where only names tell them apart, no letter is passed over."""
    images = (
        having(one_view(view), SpecificCharacterSet="ISO_IR 192", PatientName=name, PatientID="", PatientBirthDate="")
        for view, name in zip((ANTERIOR, POSTERIOR), names, strict=True)
    )
    with pytest.raises(Refused, match="two patients"):
        of(*images)


@pytest.mark.parametrize("names", [("Weiß^Jürgen", "WEISS^JÜRGEN"), ("Иванов^Иван", "ИВАНОВ^ИВАН")])
def test_one_name_in_either_case_is_one_patient(names: tuple[str, str]) -> None:
    """Capitals do not make a second patient, in whatever script."""
    images = (
        having(one_view(view), SpecificCharacterSet="ISO_IR 192", PatientName=name)
        for view, name in zip((ANTERIOR, POSTERIOR), names, strict=True)
    )
    assert of(*images).complete


def test_one_patient_may_be_written_in_several_ways() -> None:
    """Case, accents, an ideographic group and a missing identifier do not make a second patient."""
    other = having(one_view(POSTERIOR), PatientName="SIMULATED^PÁTIENT^^=山田", PatientID="", PatientBirthDate="")
    assert of(one_view(ANTERIOR), other).complete


def test_the_same_uid_with_other_bytes_uses_the_first() -> None:
    """The object that was stored first is read; the other is set aside and the result says so."""
    changed = having(scan(), ImageComments="changed")
    selection = of(scan(), changed)
    assert {view.digest for view in selection.views} == {stored(scan()).digest}
    assert selection.notes == (DUPLICATE,)
    assert selection.declined == {stored(changed).digest: DUPLICATE}
    assert {view.digest for view in of(changed, scan()).views} == {stored(changed).digest}


def test_our_own_results_are_never_selected() -> None:
    """A picture of ours that a PACS rule sent back is no scan, though it has the shape of one."""
    result = our_result(scan())
    selection = of(result, having(secondary_capture(scan()), Manufacturer="GE MEDICAL SYSTEMS"))
    assert uids(selection) == [scan().SOPInstanceUID] * 2
    assert "result of ours" in selection.declined[stored(result).digest]


def test_a_contradiction_needs_a_person() -> None:
    """An eligible object whose own evidence disagrees refuses the study."""
    front = codes.SCT.AnteriorProjection
    with pytest.raises(Refused, match="view code"):
        of(with_view_codes(scan(), front, front))


def test_a_view_that_nothing_tells_is_declined_with_advice() -> None:
    """A lone frame without any evidence is not guessed."""
    image = without_evidence(one_view(ANTERIOR))
    selection = of(image)
    assert selection.views == ()
    assert "start angle" in selection.declined[stored(image).digest]


def test_each_note_is_said_once() -> None:
    """Two objects with the same doubt give one sentence."""
    images = [undated_injection(labelled(one_view(angle))) for angle in (ANTERIOR, POSTERIOR)]
    assert of(*images).notes == (TRACER_UNKNOWN, DELAY_UNKNOWN)


def test_a_study_of_the_probe_is_told() -> None:
    """It is read, complete at once, and known for what it is."""
    selection = of(probe_scan(datetime(2026, 1, 2, 12)))
    assert (selection.complete, selection.synthetic, selection.probe) == (True, True, True)
    assert not of(scan(synthetic=True)).probe


def test_a_synthetic_study_is_told() -> None:
    """Synthetic Data = YES on a selected object marks the selection; on one that is not read it does not."""
    assert of(scan(synthetic=True)).synthetic
    assert not of(scan(), having(scan(synthetic=True, acquired_at=LATER), ImageType=PROCESSED)).synthetic


@settings(max_examples=25)
@given(order=st.permutations(range(6)), at=st.lists(st.sampled_from([0.0, 1.0]), min_size=6, max_size=6))
def test_the_order_of_the_list_decides_nothing(order: list[int], at: list[float]) -> None:
    """The keeper may rebuild what it knows from disk, in any order, and selects the same."""
    images = [
        scan(),
        having(scan(), ImageComments="changed"),
        one_view(ANTERIOR),
        one_view(POSTERIOR),
        having(scan(acquired_at=datetime(2025, 3, 1, 15)), ImageType=PROCESSED),
        our_result(scan()),
    ]
    images[5].SOPInstanceUID = "1.2.3"
    objects = [candidate(f"{number}", at[number], image) for number, image in enumerate(images)]
    shuffled = select([objects[number] for number in order])
    straight = select(objects)
    assert (shuffled.views, shuffled.declined, shuffled.notes) == (straight.views, straight.declined, straight.notes)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12))
def test_damaged_headers_are_selected_or_refused(damage: list[tuple[float, int]]) -> None:
    """Whatever bytes of a header are wrong, it is read leniently or refused with a sentence, and nothing else."""
    image = two_windows()
    image.PixelData = b""
    data = bytearray(file_bytes(image))
    for place, value in damage:
        data[132 + int(place * (len(data) - 132))] = value
    try:
        header = dcmread(BytesIO(data), stop_before_pixels=True)
    except Exception:
        assume(False)  # no header at all: the receiver's business
    try:
        selection = select([candidate("damaged", 0.0, header, len(data)), stored(scan())])
    except Refused as refused:
        assert str(refused).endswith(".")
    else:
        assert len(selection.views) <= 2
