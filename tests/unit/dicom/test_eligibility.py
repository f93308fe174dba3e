"""Which objects are delayed Tc-99m bone scans, and the sentence that each other one gets."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import JPEG2000, ExplicitVRLittleEndian, JPEGExtended12Bit, JPEGLSLossless

from scintiflow.dicom.eligibility import (
    AGE_UNKNOWN,
    CARDIAC_ONLY,
    DELAY_UNKNOWN,
    HIGHEST_LOSSY_RATIO,
    NUCLIDE_UNKNOWN,
    TRACER_UNKNOWN,
    judge,
    photopeak_frames,
    tracer_of,
)
from scintiflow.errors import Declined
from tests.builders import NOT_FOR_US, energy_window, having, injected, labelled, scan, secondary_capture, two_windows

TECHNETIUM = codes.SCT._99mTechnetium
PYROPHOSPHATE = Code("764821009", "SCT", "Technetium Tc^99m^ pyrophosphate")


def test_a_delayed_bone_scan_is_read_without_remarks() -> None:
    """A scan that says tracer, times and age leaves nothing to note."""
    assert judge(scan()) == ()


@pytest.mark.parametrize(("build", "reason"), NOT_FOR_US.values(), ids=NOT_FOR_US)
def test_what_is_not_for_us_is_declined_by_name(build: Callable[[], Dataset], reason: str) -> None:
    """Each object that is no delayed bone scan of an adult gets one sentence that says what it is."""
    with pytest.raises(Declined) as declined:
        judge(build())
    sentence = str(declined.value)
    assert reason in sentence
    assert sentence.endswith(".")
    assert "Simulated" not in sentence


@pytest.mark.parametrize(
    "tracer",
    [
        Code("96390006", "SCT", ""),
        Code("53951001", "SCT", ""),
        Code("C-B1218", "SRT", ""),
        Code("C-B1213", "SNM3", ""),
        Code("DPD", "99LOCAL", "Tc-99m DPD"),
    ],
)
def test_bone_tracers_are_known_by_code(tracer: Code) -> None:
    """Medronate and oxidronate by current and legacy code; DPD, which has none, by the meaning of a private one."""
    legacy = Code("C-163A8", "99SDM", "Technetium")
    assert judge(labelled(scan(), nuclide=legacy, tracer=tracer)) == ()


@pytest.mark.parametrize(
    "text", ["Tc-99m MDP", "99mTc-HDP", "TC99M_DPD", "Tc99mMDP", "HMDP", "Technetium medronate", "hydroxydiphosphonat"]
)
def test_bone_tracers_are_known_by_text(text: str) -> None:
    """However a technologist writes it."""
    assert judge(labelled(scan(), text=text)) == ()


def test_an_unnamed_tracer_is_read_and_said() -> None:
    """ "Bone scan" in a description is no tracer, but nothing speaks against it either."""
    assert judge(labelled(scan())) == (TRACER_UNKNOWN,)


def test_the_tracer_is_known_by_what_was_noted() -> None:
    """Who counts answers by tracer needs no header: notes say what is not a named bone tracer."""
    assert tracer_of(judge(scan())) == "bone"
    assert tracer_of(judge(labelled(scan()))) == "unknown"
    assert tracer_of(judge(labelled(scan(), nuclide=TECHNETIUM, tracer=PYROPHOSPHATE))) == "pyrophosphate"


def test_a_bone_scan_of_a_patient_with_another_history_is_read() -> None:
    """A study description that names bone and PSMA is a bone scan for a patient whose PSMA rises."""
    image = having(labelled(scan()), SeriesDescription="WB", StudyDescription="Bone scan, PSMA scan positive")
    assert judge(image) == (TRACER_UNKNOWN,)


@pytest.mark.parametrize("hours", [1, 3, 5])
def test_pyrophosphate_is_read_from_one_hour_for_the_heart_alone(hours: int) -> None:
    """PYP is scanned earlier than bone tracers, and only cardiac uptake can be judged on it."""
    image = injected(labelled(scan(), nuclide=TECHNETIUM, tracer=PYROPHOSPHATE), timedelta(hours=hours))
    assert judge(image) == (CARDIAC_ONLY,)
    assert judge(injected(labelled(scan(), text="Tc99m-PYP"), timedelta(hours=hours))) == (CARDIAC_ONLY,)


def test_pyrophosphate_before_one_hour_is_declined() -> None:
    """Even for the heart, blood pool is no uptake."""
    with pytest.raises(Declined, match="1 to 5 hours"):
        judge(injected(labelled(scan(), tracer=PYROPHOSPHATE), timedelta(minutes=59)))


@pytest.mark.parametrize("delay", [timedelta(hours=2), timedelta(hours=3), timedelta(hours=5)])
def test_two_to_five_hours_after_injection_is_delayed(delay: timedelta) -> None:
    """Both ends of the interval are inside it."""
    assert judge(injected(scan(), delay)) == ()


def test_an_injection_before_midnight_is_understood() -> None:
    """A time of day later than the scan's was on the evening before, if that was hours ago."""
    image = having(scan(), AcquisitionTime="013000")
    image.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime = "223000"
    assert judge(image) == ()


@pytest.mark.parametrize("start", ["", "143000", "99", "noon"])
def test_a_time_that_is_missing_or_impossible_is_unknown(start: str) -> None:
    """An injection an hour after the scan is a slip of the pen, not a reason to decline."""
    image = scan()
    image.RadiopharmaceuticalInformationSequence[0].pop("RadiopharmaceuticalStartTime")
    image.RadiopharmaceuticalInformationSequence[0].add_new("RadiopharmaceuticalStartTime", "SH", start)
    assert judge(image) == (DELAY_UNKNOWN,)


def test_late_wins_over_early_in_a_description() -> None:
    """A description that tells the delayed series from the early one names both words."""
    assert judge(having(scan(), SeriesDescription="WB delayed (after early WB)")) == ()


def test_a_window_around_140_kev_stands_for_technetium() -> None:
    """An unnamed nuclide is known by the photopeak window; without window too, it is assumed and said."""
    assert judge(labelled(scan(), text="MDP")) == ()
    unknown = having(labelled(scan(), text="MDP"), EnergyWindowInformationSequence=[])
    assert judge(unknown) == (NUCLIDE_UNKNOWN,)


def test_only_photopeak_frames_are_read() -> None:
    """Of two windows by two detectors, the frames of the 140 keV window are the scan, wherever they lie."""
    assert photopeak_frames(two_windows(photopeak=1)) == (1, 2)
    assert photopeak_frames(two_windows(photopeak=2)) == (3, 4)


def test_a_window_vector_that_is_missing_follows_the_order_of_the_windows() -> None:
    """Frames are stored window after window (PS3.3 C.8.4.8)."""
    image = two_windows(photopeak=2)
    del image.EnergyWindowVector
    assert photopeak_frames(image) == (3, 4)


def test_frames_of_scatter_windows_alone_are_declined() -> None:
    """An object may describe the photopeak window and hold only frames of another."""
    image = having(two_windows(), EnergyWindowVector=[2, 2, 2, 2])
    with pytest.raises(Declined, match="140 keV"):
        photopeak_frames(image)


def test_a_window_open_to_everything_is_no_photopeak() -> None:
    """50 to 400 keV holds 140, and scatter and other nuclides too."""
    with pytest.raises(Declined, match="140 keV"):
        judge(having(scan(), EnergyWindowInformationSequence=[energy_window(50, 400)]))


@pytest.mark.parametrize(("born", "age"), [("", ""), ("18", "grown"), ("20990101", "")])
def test_an_unknown_age_is_read_and_said(born: str, age: str) -> None:
    """An absent, malformed or impossible age does not make a child."""
    image = scan()
    for keyword, value in (("PatientBirthDate", born), ("PatientAge", age)):
        image.pop(keyword)
        image.add_new(keyword, "LO", value)
    assert judge(image) == (AGE_UNKNOWN,)


def test_the_eighteenth_birthday_makes_an_adult() -> None:
    """Age counts on the day of the scan."""
    assert judge(having(scan(), PatientBirthDate="20070301")) == ()
    with pytest.raises(Declined, match="child"):
        judge(having(scan(), PatientBirthDate="20070302"))


def test_a_monochrome_capture_of_a_whole_body_is_a_scan() -> None:
    """Real scans arrive as Secondary Capture with Modality NM, some without an image type."""
    assert judge(secondary_capture(scan())) == ()
    assert judge(having(secondary_capture(scan()), ImageType=["DERIVED", "SECONDARY"])) == ()


@pytest.mark.parametrize(
    ("name", "ratio"), [("JPGExtended.dcm", "76:1"), ("JPEG2000.dcm", "2097:1")], ids=["usable", "blur"]
)
def test_the_nema_scans_are_told_apart_by_their_ratio(name: str, ratio: str) -> None:
    """76:1 is read and said; 2,097:1 is declined with its ratio."""
    path = get_testdata_file(name)
    assert isinstance(path, str)
    header, length = dcmread(path, stop_before_pixels=True), Path(path).stat().st_size
    if name == "JPEG2000.dcm":
        with pytest.raises(Declined, match=ratio):
            judge(header, length)
        del header.LossyImageCompressionRatio
        with pytest.raises(Declined, match="158:1"):
            judge(header, length)
    else:
        notes = judge(header, length)
        assert notes[:3] == (TRACER_UNKNOWN, DELAY_UNKNOWN, AGE_UNKNOWN)
        assert ratio in notes[3]


@pytest.mark.parametrize("syntax", [JPEG2000, JPEGExtended12Bit])
def test_a_ratio_that_is_not_stated_follows_from_the_length(syntax: str) -> None:
    """Pixels of a lossy transfer syntax that left few bytes behind are a blur, whatever the header leaves out."""
    image = scan()
    image.file_meta.TransferSyntaxUID = syntax
    pixel_bytes = 2 * 2 * 256 * 64
    assert judge(image, round(pixel_bytes / HIGHEST_LOSSY_RATIO) + 1)[0].startswith("Lossy image: ")
    with pytest.raises(Declined, match="compressed with loss"):
        judge(image, round(pixel_bytes / HIGHEST_LOSSY_RATIO) - 10)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, ExplicitVRLittleEndian])
def test_lossless_compression_has_no_limit(syntax: str) -> None:
    """An empty background compresses well without loss."""
    image = scan()
    image.file_meta.TransferSyntaxUID = syntax
    assert judge(image, 100) == ()


def test_loss_of_unknown_extent_is_said() -> None:
    """A scan that was compressed with loss once and decompressed again keeps the mark."""
    assert judge(having(scan(), LossyImageCompression="01")) == ("Lossy image: the scan was compressed with loss.",)
