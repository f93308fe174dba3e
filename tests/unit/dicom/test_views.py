"""Which frame is anterior: every kind of evidence that real cameras leave, and what happens when it contradicts."""

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR
from scintiflow.dicom.views import FrameView, views_of
from scintiflow.errors import Refused
from tests.builders import (
    body_counts,
    coded,
    having,
    one_view,
    scan,
    secondary_capture,
    two_windows,
    with_angles,
    with_ge_names,
    with_view_codes,
    without_evidence,
)

FRONT, BACK = codes.SCT.AnteriorProjection, codes.SCT.PosteriorProjection
A, P = VIEW_ANTERIOR, VIEW_POSTERIOR


def shown(image: Dataset) -> list[int | None]:
    """Return the view of each frame."""
    return [view.view for view in views_of(image)]


def rules(image: Dataset) -> set[str]:
    """Return the evidence that decided."""
    return {view.rule for view in views_of(image)}


@pytest.mark.parametrize(
    ("front", "back"),
    [
        (FRONT, BACK),
        (Code("G-5215", "SRT", "Anterior"), Code("G-5216", "SRT", "Posterior")),
        (Code("G-5215", "SNM3", ""), Code("G-5216", "SNM3", "")),
        (Code("G-5215", "99SDM", ""), Code("G-5216", "99SDM", "")),
    ],
)
def test_a_coded_view_decides_before_all_else(front: Code, back: Code) -> None:
    """Codes of SNOMED CT and of both names of SNOMED RT say the view with high confidence, whatever the order."""
    image = with_view_codes(without_evidence(scan()), back, front)
    assert shown(image) == [P, A]
    assert rules(image) == {"view code"}
    assert {view.confidence for view in views_of(image)} == {"high"}


@pytest.mark.parametrize("angles", [(180, 0), (180, 360), (-180, 0), (178.2, 359.1), (540, 720)])
def test_a_start_angle_tells_front_from_back(angles: tuple[float, float]) -> None:
    """180 is anterior and 0 or 360 posterior, counted modulo 360 and within what a gantry is off."""
    assert shown(with_angles(scan(), *angles)) == [A, P]
    assert shown(with_angles(scan(), *reversed(angles))) == [P, A]
    assert rules(with_angles(scan(), *angles)) == {"start angle"}


@pytest.mark.parametrize("angle", [0, 180, 90])
def test_equal_start_angles_are_no_evidence(angle: float) -> None:
    """Two detectors at one angle leave the decision to the detector order, which says that it guessed."""
    front, back = views_of(with_angles(scan(), angle, angle))
    assert (front.view, back.view) == (A, P)
    assert front.rule == "detector order"
    assert front.confidence == back.confidence == "low"
    assert "order of the detectors" in front.flags[0]


@pytest.mark.parametrize(
    ("names", "views"),
    [
        (("ANT", "POST"), [A, P]),
        (("POST", "ANT"), [P, A]),
        (("WHOLE BODY_E", "WHOLE BODY_F"), [A, P]),
        (("Bone_F", "Bone_E"), [P, A]),
    ],
)
def test_ge_picture_names_decide_where_codes_and_angles_do_not(names: tuple[str, str], views: list[int]) -> None:
    """The private names ANT and POST, and the endings _E and _F, are evidence of high confidence."""
    image = with_ge_names(without_evidence(scan()), *names)
    assert shown(image) == views
    assert rules(image) == {"picture name"}


def test_private_elements_of_another_maker_are_not_picture_names() -> None:
    """Group 0011 under another creator means something else, and is not read."""
    image = with_ge_names(without_evidence(scan()), "POST", "ANT")
    image[0x0011, 0x0010].value = "SOMEBODY ELSE"
    assert rules(image) == {"detector order"}


@pytest.mark.parametrize("text", ["POSTERIOR_H2", "WB POST", "Ganzkörper dorsal", "GK hinten", "Postérieur", "wb_F"])
def test_words_about_a_single_detector_decide(text: str) -> None:
    """Image ID or Series Description of a one-frame object may name its view in several languages."""
    image = without_evidence(one_view(180))
    for keyword in ("ImageID", "SeriesDescription"):
        (view,) = views_of(having(without_evidence(one_view(180)), **{keyword: text}))
        assert (view.view, view.rule, view.confidence) == (P, "description", "high")
    assert shown(image) == [None]


@pytest.mark.parametrize("text", ["WB post therapy", "3h post inj", "post-OP", "Ant + Post", "postinjection"])
def test_words_that_only_look_like_a_view_are_no_evidence(text: str) -> None:
    """ "Post therapy" is no posterior view, and a name with both words names neither."""
    assert shown(having(without_evidence(one_view(180)), SeriesDescription=text)) == [None]


def test_words_about_a_pair_say_nothing_of_one_frame() -> None:
    """ "Anterior" in the description of a two-detector object is not said of either frame."""
    assert rules(having(without_evidence(scan()), SeriesDescription="WB ANTERIOR")) == {"detector order"}


def test_free_text_of_siemens_consoles_counts_as_words() -> None:
    """A view typed by the operator in scheme 99NMG is read as text, and ranks below angles."""
    typed = [Code("1", "99NMG", "Hinten"), Code("2", "99NMG", "Ant")]
    image = with_view_codes(without_evidence(scan()), *typed)
    assert shown(image) == [P, A]
    assert rules(image) == {"description"}
    front, back = views_of(with_view_codes(with_angles(scan(), 180, 0), *typed))
    assert (front.view, front.rule, front.confidence) == (A, "start angle", "low")
    assert "description says posterior" in front.flags[0]
    assert back.view == P


def test_empty_view_sequences_are_tolerated() -> None:
    """An empty View Code Sequence, as real Siemens files have, leaves the decision to the angle (180 and 360)."""
    image = with_view_codes(with_angles(scan(), 180, 360), None, None)
    assert shown(image) == [A, P]
    assert rules(image) == {"start angle"}


def test_the_higher_rank_wins_and_the_conflict_is_said() -> None:
    """A coded view goes before a contradicting angle; the frame is flagged with a sentence and loses confidence."""
    front, back = views_of(with_view_codes(with_angles(scan(), 0, 180), FRONT, BACK))
    assert (front.view, back.view) == (A, P)
    assert front.confidence == "low"
    assert front.flags == ("The start angle says posterior, but the view code says anterior and was followed.",)


@pytest.mark.parametrize(
    "image",
    [
        with_view_codes(scan(), FRONT, FRONT),
        with_ge_names(without_evidence(scan()), "ANT", "ANT"),
        having(without_evidence(one_view(180)), ImageID="ANT", SeriesDescription="WB posterior"),
        having(scan(), DetectorVector=[1, 1]),
    ],
    ids=["two codes", "two names", "two descriptions", "one detector twice"],
)
def test_a_conflict_within_one_rank_needs_a_person(image: Dataset) -> None:
    """Evidence of one kind that contradicts itself is refused with a sentence, not guessed away."""
    with pytest.raises(Refused, match="correct the header"):
        views_of(image)


def test_both_views_coded_for_one_frame_need_a_person() -> None:
    """One frame cannot be coded anterior and posterior."""
    image = one_view(180)
    image.DetectorInformationSequence[0].ViewCodeSequence = [coded(FRONT), coded(BACK)]
    with pytest.raises(Refused, match="both anterior and posterior"):
        views_of(image)


def test_the_frame_with_the_weaker_evidence_is_the_other_view() -> None:
    """If a code and a mere order claim the anterior view, the coded frame has it and the other is flagged."""
    first, second = views_of(with_view_codes(without_evidence(scan()), None, FRONT))
    assert (first.view, second.view) == (P, A)
    assert first.confidence == "low"
    assert "taken as posterior" in first.flags[-1]


def test_without_a_detector_vector_names_of_the_frames_decide_first() -> None:
    """What is said of frames goes before what is said of detectors that cannot be told to frames."""
    image = with_ge_names(with_angles(scan(), 180, 0), "POST", "ANT")
    del image.DetectorVector
    assert shown(image) == [P, A]
    assert rules(image) == {"picture name"}


def test_without_a_detector_vector_detectors_are_matched_by_order() -> None:
    """Angles still tell, but the match is a guess: low confidence, and said."""
    image = with_angles(scan(), 0, 180)
    del image.DetectorVector
    first, second = views_of(image)
    assert (first.view, second.view) == (P, A)
    assert (first.rule, first.confidence) == ("start angle", "low")
    assert "matched by their order" in first.flags[0]


def test_without_any_evidence_the_frame_order_is_guessed_and_said() -> None:
    """No vector, no code, no angle, no name: the first of two frames is taken as anterior at low confidence."""
    image = without_evidence(scan())
    del image.DetectorVector, image.DetectorInformationSequence, image.NumberOfDetectors
    front, back = views_of(image)
    assert (front.view, back.view, front.rule, front.confidence) == (A, P, "frame order", "low")
    assert front.flags == (
        "Only the order of the frames says that this is the anterior view: the first is taken as anterior.",
    )


def test_a_lone_frame_without_evidence_is_not_guessed() -> None:
    """One frame of a camera with one head may be either view."""
    (view,) = views_of(without_evidence(one_view(180)))
    assert view == FrameView(1, None, "", "low", view.flags)
    assert "Nothing in the header" in view.flags[0]


def test_a_lone_frame_of_the_second_head_is_posterior_by_order() -> None:
    """One-frame objects of a two-headed camera still carry their detector's number."""
    image = having(without_evidence(one_view(180)), NumberOfDetectors=2, DetectorVector=2)
    assert shown(image) == [P]


def test_the_same_view_in_two_energy_windows_is_no_conflict() -> None:
    """Four frames, two windows by two detectors, are two pairs."""
    assert shown(two_windows()) == [A, P, A, P]


def test_four_frames_with_two_ge_names_are_told_by_detector() -> None:
    """Names may be given for each detector instead of each frame."""
    assert shown(with_ge_names(without_evidence(two_windows()), "POST", "ANT")) == [P, A, P, A]


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG2000.dcm"])
def test_the_nema_scan_is_anterior_by_its_ge_name(name: str) -> None:
    """Its only evidence is a private name that ends in _E."""
    path = get_testdata_file(name)
    assert isinstance(path, str)
    (view,) = views_of(dcmread(path, stop_before_pixels=True))
    assert (view.view, view.rule, view.confidence) == (A, "picture name", "high")


def test_a_secondary_capture_without_nm_modules_is_read_by_its_words() -> None:
    """An object without any detector information may still say its view in the description."""
    image = secondary_capture(without_evidence(scan(body_counts(1), start_angles=(180.0,))))
    del image.DetectorInformationSequence, image.DetectorVector
    assert shown(having(image, SeriesDescription="WB ANT")) == [A]


@pytest.mark.parametrize("element", [("StartAngle", "north"), ("ViewCodeSequence", None)])
def test_an_unreadable_element_is_no_evidence(element: tuple[str, str | None]) -> None:
    """A malformed value says nothing and harms nothing."""
    image = without_evidence(scan())
    for detector in image.DetectorInformationSequence:
        detector.add_new(element[0], "LO" if element[1] else "SQ", element[1])
    assert rules(image) == {"detector order"}
