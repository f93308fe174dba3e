"""The door: a sound data set passes in every encoding, a broken one is refused with a sentence."""

import re
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    NuclearMedicineImageStorage,
)

from scintiflow.errors import Refused
from scintiflow.receiver.header import Header, is_uid, read_header

PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
SOUND = Header(sop_class=NuclearMedicineImageStorage, sop_instance="1.2.3.4", study="1.2.3")


def image() -> Dataset:
    """Return a small image with a sequence in it."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.StudyInstanceUID = SOUND.sop_class, "1.2.3.4", "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.5"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns, dataset.BitsAllocated = 2, 3, 4, 16
    dataset.EnergyWindowInformationSequence = [nested(2)]
    dataset.PixelData = bytes(2 * 3 * 4 * 2)
    dataset["PixelData"].VR = "OW"
    return dataset


def nested(depth: int) -> Dataset:
    """Return an item that holds items, `depth` deep."""
    item = Dataset()
    item.CodeValue = "1"
    if depth > 1:
        item.EnergyWindowRangeSequence = [nested(depth - 1)]
    return item


def compressed(fragments: int = 2) -> Dataset:
    """Return an image with two frames in `fragments` pieces."""
    dataset = image()
    dataset.PixelData = encapsulate([b"\xff\xd8frame!"] * fragments)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def encoded(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return the bytes of a data set as they travel."""
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = syntax.is_little_endian, syntax.is_implicit_VR
    write_dataset(file, dataset)
    return file.getvalue()


def _outcome(read: Callable[[], Header]) -> Header | str:
    """Return a header, or the sentence that says why there is none."""
    try:
        return read()
    except Refused as error:
        return str(error)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Header]:
    """Return what reads the header of data set bytes, behind some bytes that are not its own.

    However much of the file is in memory, the outcome must be the same.
    """

    def read(data: bytes, syntax: UID = ExplicitVRLittleEndian) -> Header:
        path = tmp_path / "part"
        file = b"meta" + data
        path.write_bytes(file)
        known = (0, len(file) // 2, len(file))
        outcomes = {_outcome(partial(read_header, path, 4, syntax, file[:length])) for length in known}
        assert len(outcomes) == 1, "it depends on how much is in memory"
        (outcome,) = outcomes
        if isinstance(outcome, str):
            raise Refused(outcome)
        return outcome

    return read


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("kind", ["plain", "compressed", "ends with a UID"])
def test_it_makes_no_difference_how_much_is_in_memory(tmp_path: Path, kind: str, broken: int) -> None:
    """Wherever the part that is in memory ends, a header is read, or refused, as from the file."""
    dataset, syntax = (compressed(), JPEGLSLossless) if kind == "compressed" else (image(), ExplicitVRLittleEndian)
    if kind == "ends with a UID":
        dataset = dataset[:"SamplesPerPixel"]  # type: ignore[misc]
    path, data = tmp_path / "part", encoded(dataset, syntax)
    path.write_bytes(data[: len(data) - broken])
    outcomes = [_outcome(partial(read_header, path, 0, syntax, data[:known])) for known in range(len(data) - broken)]
    assert len(set(outcomes)) == 1
    assert (outcomes[0] == SOUND) != bool(broken)


@pytest.mark.parametrize("syntax", PLAIN)
@pytest.mark.parametrize("undefined", [True, False])
def test_a_sound_data_set_passes_in_every_encoding(read: Callable[..., Header], syntax: UID, undefined: bool) -> None:
    """Byte order, implicit or explicit VR and the way sequences end make no difference."""
    dataset = image()
    dataset["EnergyWindowInformationSequence"].is_undefined_length = undefined
    for item in dataset.EnergyWindowInformationSequence:
        item.is_undefined_length_sequence_item = undefined
    assert read(encoded(dataset, syntax), syntax) == SOUND


def test_compressed_pixel_data_pass(read: Callable[..., Header]) -> None:
    """Fragments are counted, not opened."""
    assert read(encoded(compressed()), JPEGLSLossless) == SOUND


def test_an_object_without_pixel_data_passes(read: Callable[..., Header]) -> None:
    """Reports and the like have no image."""
    dataset = image()
    del dataset.PixelData
    assert read(encoded(dataset)) == SOUND


def without(keyword: str) -> Dataset:
    """Return an image that lacks an element."""
    dataset = image()
    delattr(dataset, keyword)
    return dataset


def having(**values: object) -> Dataset:
    """Return an image with other values."""
    dataset = image()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


FAULTS = {
    "no study": (without("StudyInstanceUID"), "Study Instance UID is missing"),
    "no class": (without("SOPClassUID"), "SOP Class UID is missing"),
    "path as UID": (having(SOPInstanceUID="../../etc/passwd"), "SOP Instance UID is missing or malformed"),
    "long UID": (having(StudyInstanceUID="1." + "2" * 63), "Study Instance UID is missing or malformed"),
    "seventeen levels": (having(EnergyWindowInformationSequence=[nested(17)]), "deeper than 16"),
    "no rows": (having(Rows=0), "impossible"),
    "no frame": (having(NumberOfFrames="0"), "impossible"),
    "odd bits": (having(BitsAllocated=13), "impossible"),
    "too few pixels": (having(Rows=30000, Columns=30000), "shorter than"),
    "too few fragments": (compressed(1), "more frames than"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_with_its_reason(read: Callable[..., Header], fault: str) -> None:
    """Each fault of a header is named in a sentence."""
    dataset, reason = FAULTS[fault]
    with pytest.raises(Refused, match=reason):
        read(encoded(dataset))


def test_sixteen_levels_are_allowed(read: Callable[..., Header]) -> None:
    """The limit is sixteen, not fifteen."""
    assert read(encoded(having(EnergyWindowInformationSequence=[nested(16)]))) == SOUND


def test_an_element_given_twice_is_refused(read: Callable[..., Header]) -> None:
    """Two Study Instance UIDs would let two readers see two studies."""
    study = Dataset()
    study.StudyInstanceUID = "9.9"
    with pytest.raises(Refused, match="twice"):
        read(encoded(image()) + encoded(study))


def with_study(vr: bytes, value: bytes) -> bytes:
    """Return the image in Explicit VR, its Study Instance UID element replaced by hand."""
    usual = struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", 6) + b"1.2.3\0"
    length = struct.pack("<HL", 0, len(value)) if vr == b"OB" else struct.pack("<H", len(value))
    whole = encoded(image())
    assert usual in whole
    return whole.replace(usual, struct.pack("<HH2s", 0x0020, 0x000D, vr) + length + value)


@pytest.mark.parametrize(
    ("vr", "value", "reason"),
    [
        (b"UI", b"\0" + b"1.2.3", "malformed"),
        (b"UI", b" 1.2.3", "malformed"),
        (b"UI", b"1.2\0.3\0", "malformed"),
        (b"UI", b"1.2.\xb23", "malformed"),
        (b"UI", b"1.2.3\\1.2.4", "malformed"),
        (b"OB", b"1.2.3\0", "encoded as something else"),
        (b"LO", b"1.2.3 ", "encoded as something else"),
        (b"US", b"\1\0", "encoded as something else"),
    ],
)
def test_a_uid_is_a_uid_to_every_reader(read: Callable[..., Header], vr: bytes, value: bytes, reason: str) -> None:
    """What one reader would take for a UID, and the next for something else, is refused."""
    with pytest.raises(Refused, match=reason):
        read(with_study(vr, value))


@pytest.mark.parametrize("padding", [b"\0", b" "])
def test_a_padded_uid_is_understood(read: Callable[..., Header], padding: bytes) -> None:
    """Old software pads with a blank instead of a zero byte."""
    assert read(with_study(b"UI", b"1.2.3" + padding)) == SOUND


def test_a_data_set_that_could_be_read_in_two_ways_is_refused(read: Callable[..., Header]) -> None:
    """In Implicit VR a first length may spell a VR; a reader that guesses would see another object."""
    hidden = encoded(having(StudyInstanceUID="9.9"))
    (length,) = struct.unpack("<L", b"LT\1\0")
    value = (b" " + hidden).ljust(length)
    data = struct.pack("<HHL", 0x0008, 0x0001, length) + value + encoded(image(), ImplicitVRLittleEndian)
    with pytest.raises(Refused, match="begins as one in Explicit VR"):
        read(data, ImplicitVRLittleEndian)


@pytest.mark.parametrize("data", [b"", b"no DICOM at all", b"\0" * 64, b"%PDF-1.7 and so on and on", b"\xff" * 64])
def test_what_is_not_dicom_is_refused(read: Callable[..., Header], data: bytes) -> None:
    """Other bytes are refused in every encoding."""
    for syntax in PLAIN:
        with pytest.raises(Refused):
            read(data, syntax)


def test_the_wrong_encoding_is_refused(read: Callable[..., Header]) -> None:
    """A sender that negotiated one transfer syntax and sent another is told so."""
    for sent in PLAIN:
        for said in set(PLAIN) - {sent}:
            with pytest.raises(Refused):
                read(encoded(image(), sent), said)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cut=st.integers(0), kind=st.sampled_from(["plain", "compressed"]))
def test_a_cut_in_the_pixel_data_is_always_seen(read: Callable[..., Header], cut: int, kind: str) -> None:
    """However many bytes are missing at the end, the object is refused as long as its pixel data have begun."""
    whole = encoded(image() if kind == "plain" else compressed())
    begin = whole.index(b"\xe0\x7f\x10\x00") + 1
    with pytest.raises(Refused):
        read(whole[: begin + cut % (len(whole) - begin)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(place=st.integers(0), flip=st.integers(1, 255), syntax=st.sampled_from(PLAIN))
def test_a_flipped_byte_is_harmless(read: Callable[..., Header], place: int, flip: int, syntax: UID) -> None:
    """One wrong byte anywhere leads to a header or to a refusal, never to another error."""
    data = bytearray(encoded(image(), syntax))
    data[place % len(data)] ^= flip
    try:
        assert is_uid(read(bytes(data), syntax).study)
    except Refused as error:
        assert str(error).endswith((".", "?"))


@given(st.text("0123456789./ a", max_size=70))
def test_uid_form(text: str) -> None:
    """A UID is digits and single dots, at most 64 characters."""
    assert is_uid(text) == bool(re.fullmatch(r"\d+(\.\d+)*", text) and len(text) <= 64)
