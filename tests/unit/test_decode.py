"""Pixels become counts in a child process, and nothing that a stranger sends hurts more than itself."""

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView
from scintiflow.decode import Decoded, Limits, decode, warm
from scintiflow.dicom.canvas import canvas_view
from scintiflow.errors import Declined, Refused
from tests.builders import MARKED, body_counts, both_views, file_bytes, having, one_view, scan, store
from tests.waiting import wait_for

NATIVE = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
)
COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1)
BOUND_SECONDS = 30.0


def decoded(image: Dataset, folder: Path, **arguments: Any) -> Decoded:
    """Write an object and decode its first two frames, or its only one."""
    views = both_views(store(image, folder))
    return decode(views[: int(image.NumberOfFrames)], folder, **arguments)


def refusal(image: Dataset, folder: Path, **arguments: Any) -> str:
    """Return the sentence with which an object is refused, after seeing that the next good one is decoded."""
    with pytest.raises(Refused) as refused:
        decoded(image, folder, **arguments)
    assert decoded(scan(), folder).present.tolist() == [1, 1]
    sentence = str(refused.value)
    assert sentence.endswith(".")
    return sentence


def as_syntax(image: Dataset, syntax: UID) -> Dataset:
    """Store an object in another transfer syntax."""
    if syntax == JPEGLosslessSV1:
        return with_frames(image, syntax, [imagecodecs.ljpeg_encode(frame) for frame in image.pixel_array])
    if syntax.is_compressed:
        image.compress(syntax, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
    image.file_meta.TransferSyntaxUID = syntax
    return image


def with_frames(image: Dataset, syntax: UID, frames: list[bytes]) -> Dataset:
    """Replace the pixels by these compressed frames."""
    image.file_meta.TransferSyntaxUID = syntax
    image.PixelData = encapsulate(frames)
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    return image


def cut_short(syntax: UID, keep: float) -> Dataset:
    """Return an object whose compressed frames lack their end."""
    image = as_syntax(scan(), syntax)
    frames = [frame[: int(len(frame) * keep)] for frame in generate_frames(image.PixelData, number_of_frames=2)]
    return with_frames(image, syntax, frames)


def children(of: int | None = None) -> list[psutil.Process]:
    """Return the decoding processes of a process, ours by default."""
    found = psutil.Process(of).children()
    return [child for child in found if "scintiflow.decode.child" in child.cmdline()]


def at_work() -> int:
    """Return how many children are decoding: each has a timer that would kill it."""
    return sum(isinstance(thread, threading.Timer) for thread in threading.enumerate())


@pytest.mark.parametrize("syntax", NATIVE + COMPRESSED, ids=lambda uid: uid.name)
def test_every_lossless_syntax_gives_the_counts_back(tmp_path: Path, syntax: UID) -> None:
    """Whatever the transfer syntax, decoded counts are the stored ones."""
    counts = body_counts()
    frames = decoded(as_syntax(scan(), syntax), tmp_path).frames
    assert np.array_equal(frames[VIEW_ANTERIOR], counts[0])
    assert np.array_equal(frames[VIEW_POSTERIOR], counts[1])
    assert frames[VIEW_ANTERIOR].dtype == np.float32


def test_the_selected_frames_are_decoded_and_no_others(tmp_path: Path) -> None:
    """Frames 4 and 3 of four come back as the views that selection called them."""
    digest = store(scan(body_counts(4), start_angles=(180, 0, 180, 0)), tmp_path)
    views = [
        SelectedView(view=VIEW_ANTERIOR, digest=digest, frame=4),
        SelectedView(view=VIEW_POSTERIOR, digest=digest, frame=3),
    ]
    frames = decode(views, tmp_path).frames
    assert frames[VIEW_ANTERIOR][0, 0] == MARKED + 3
    assert frames[VIEW_POSTERIOR][0, 0] == MARKED + 2


def test_two_objects_make_one_scan(tmp_path: Path) -> None:
    """Views stored apart are decoded from their own files."""
    views = [
        SelectedView(view=view, digest=store(one_view(angle), tmp_path), frame=1)
        for view, angle in ((VIEW_ANTERIOR, 180.0), (VIEW_POSTERIOR, 0.0))
    ]
    scan_of_both = decode(views, tmp_path)
    assert np.array_equal(scan_of_both.frames[VIEW_ANTERIOR], body_counts(1, seed=180)[0])
    assert np.array_equal(scan_of_both.frames[VIEW_POSTERIOR], body_counts(1, seed=0)[0])


def test_the_canvas_holds_anterior_and_posterior(tmp_path: Path) -> None:
    """Each view lies resized in its place, with the pixel spacing beside it."""
    result = decoded(scan(pixel_mm=(2.2, 2.3)), tmp_path)
    assert result.canvas.shape == (2, 512, 256)
    assert result.canvas.dtype == result.present.dtype == np.float32
    assert np.array_equal(result.canvas, [canvas_view(frame) for frame in body_counts()])
    assert result.present.tolist() == [1, 1]
    assert result.pixel_mm == (2.2, 2.3)


def test_an_absent_view_is_zeros(tmp_path: Path) -> None:
    """A posterior view alone lies in the second place."""
    digest = store(one_view(0), tmp_path)
    result = decode([SelectedView(view=VIEW_POSTERIOR, digest=digest, frame=1)], tmp_path)
    assert result.present.tolist() == [0, 1]
    assert not result.canvas[0].any()
    assert result.canvas[1].any()
    assert list(result.frames) == [VIEW_POSTERIOR]


def test_signed_pixels_lose_their_negative_values(tmp_path: Path) -> None:
    """Lossy compression and subtraction leave negative values behind, which no camera counts."""
    image = scan()
    values = body_counts().astype("<i2")
    values[0, 1, 1] = -30
    image.PixelData, image.PixelRepresentation = values.tobytes(), 1
    anterior = decoded(image, tmp_path).frames[VIEW_ANTERIOR]
    assert anterior[1, 1] == 0
    assert anterior[0, 0] == MARKED


def test_a_rescale_is_honoured(tmp_path: Path) -> None:
    """Counts are stored value times slope plus intercept."""
    image = having(scan(), RescaleSlope=2.5, RescaleIntercept=-10)
    assert decoded(image, tmp_path).frames[VIEW_ANTERIOR][0, 0] == 2.5 * MARKED - 10


@pytest.mark.parametrize("slope", ["0", "-1", ""])
def test_a_rescale_that_tells_no_counts_is_refused(tmp_path: Path, slope: str) -> None:
    """A slope of zero or less, or none beside an intercept, is no way to counts."""
    assert "rescale slope" in refusal(having(scan(), RescaleSlope=slope), tmp_path)


def test_a_missing_pixel_spacing_is_assumed(tmp_path: Path) -> None:
    """A whole-body frame is taken to be 2.4 m long."""
    image = scan()
    del image.PixelSpacing
    assert decoded(image, tmp_path).pixel_mm == (2400 / 256, 2400 / 256)


@pytest.mark.parametrize("name", ["JPGExtended", "JPEG2000"])
def test_the_nema_scans_decode(name: str) -> None:
    """12-bit JPEG Extended and lossy JPEG 2000 give about the counts that their header states, none negative."""
    path = get_testdata_file(f"{name}.dcm")
    assert isinstance(path, str)
    header = dcmread(path, stop_before_pixels=True)
    anterior = decode([SelectedView(view=VIEW_ANTERIOR, digest=name, frame=1)], Path(path).parent).frames[VIEW_ANTERIOR]
    assert anterior.shape == (1024, 256)
    assert anterior.sum() == pytest.approx(float(header.CountsAccumulated), rel=0.06)
    assert anterior.min() >= 0


@pytest.mark.parametrize("blank", [0, 1])
def test_a_view_without_counts_is_declined(tmp_path: Path, blank: int) -> None:
    """An empty frame is no scan, and the sentence says which one."""
    counts = body_counts()
    counts[blank] = 0
    with pytest.raises(Declined, match=("anterior", "posterior")[blank]):
        decoded(scan(counts), tmp_path)


def test_pixel_data_that_are_too_short_are_refused(tmp_path: Path) -> None:
    """Half of the bytes are no scan."""
    image = scan()
    image.PixelData = image.PixelData[: len(image.PixelData) // 2]
    assert "damaged or cut short" in refusal(image, tmp_path)


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda uid: uid.name)
@pytest.mark.parametrize("keep", [0.9, 0.3, 0.01])
def test_a_codestream_that_is_cut_short_is_refused(tmp_path: Path, syntax: UID, keep: float) -> None:
    """Decoders that paint the missing half grey are not asked."""
    assert "cut short" in refusal(cut_short(syntax, keep), tmp_path)


def grey_jpeg(frame: NDArray[np.uint16], quality: int = 100, **options: Any) -> bytes:
    """Encode as JPEG of 8 bits."""
    file = BytesIO()
    Image.fromarray(frame.astype(np.uint8)).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def twelve_bits(frame: NDArray[np.uint16]) -> bytes:
    """Encode as JPEG Extended."""
    return bytes(imagecodecs.jpeg8_encode(frame, level=100, bitspersample=12))


def predicted(frame: NDArray[np.uint16], by: int) -> bytes:
    """Encode as JPEG Lossless with one of its seven predictors."""
    return bytes(imagecodecs.jpeg8_encode(frame, lossless=True, predictor=by))


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("most", [2**8, 2**15])
def test_every_jpeg_lossless_gives_the_counts_back(tmp_path: Path, predictor: int, most: int) -> None:
    """Whatever predictor was used, and over more values than counts have."""
    counts = body_counts()
    counts[:, 100:] = np.random.default_rng(0).integers(0, most, counts[:, 100:].shape)
    frames = [predicted(frame, predictor) for frame in counts]
    found = decoded(with_frames(scan(), JPEGLosslessSV1, frames), tmp_path).frames
    assert np.array_equal(found[VIEW_ANTERIOR], counts[0])
    assert np.array_equal(found[VIEW_POSTERIOR], counts[1])


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEGBaseline8Bit, grey_jpeg),
        (JPEGBaseline8Bit, lambda frame: grey_jpeg(frame, optimize=True)),
        (JPEGBaseline8Bit, lambda frame: grey_jpeg(frame, restart_marker_blocks=3)),
        (JPEGBaseline8Bit, lambda frame: grey_jpeg(frame, restart_marker_rows=1)),
        (JPEGExtended12Bit, grey_jpeg),
        (JPEGExtended12Bit, twelve_bits),
    ],
    ids=["8 bits", "tables of its own", "restarts", "restarts by row", "8 bits, extended", "12 bits"],
)
def test_every_lossy_jpeg_is_read(tmp_path: Path, syntax: UID, encode: Callable[[Any], bytes]) -> None:
    """At the best quality no count is off by more than two, in blocks that the edge cuts off neither."""
    counts = body_counts(rows=250, cols=61)
    frames = decoded(with_frames(scan(counts), syntax, [encode(frame) for frame in counts]), tmp_path).frames
    assert np.abs(frames[VIEW_ANTERIOR] - counts[0]).max() <= 2
    assert np.abs(frames[VIEW_POSTERIOR] - counts[1]).max() <= 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda frame: frame[: len(frame) // 2] + b"\xff\xd9",
        lambda frame: frame[: len(frame) * 9 // 10] + b"\xff\xd9",
        lambda frame: frame[: len(frame) // 2 - 200] + frame[len(frame) // 2 :],
        lambda frame: frame[: len(frame) // 2 - 200] + bytes(200) + frame[len(frame) // 2 :],
        lambda frame: frame[:-2] + frame[-202:],
    ],
    ids=["half of it", "nine tenths", "a piece less", "a piece of zeros", "a piece more"],
)
@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEGLosslessSV1, imagecodecs.ljpeg_encode),
        (JPEGExtended12Bit, twelve_bits),
        (JPEGBaseline8Bit, grey_jpeg),
        (JPEGBaseline8Bit, lambda frame: grey_jpeg(frame, restart_marker_blocks=50)),
    ],
    ids=["lossless", "12 bits", "8 bits", "restarts"],
)
def test_a_jpeg_that_lost_a_part_but_not_its_end_is_refused(
    tmp_path: Path, syntax: UID, encode: Callable[[Any], bytes], damage: Callable[[bytes], bytes]
) -> None:
    """libjpeg would make up the rest, with thousands of wrong counts."""
    frames = [damage(bytes(encode(frame))) for frame in body_counts()]
    assert "damaged or cut short" in refusal(with_frames(scan(), syntax, frames), tmp_path)


def with_offsets(basic: list[int] | None, extended: list[int] | None, lengths: list[int] | None) -> Dataset:
    """Return an object whose tables hold, for each frame, the number of the frame that they lead to."""
    image = as_syntax(scan(), JPEG2000Lossless)
    frames = list(generate_frames(image.PixelData, number_of_frames=2))
    pixels, offsets, sizes = encapsulate_extended(frames)
    true_offsets, true_sizes = struct.unpack("<2Q", offsets), struct.unpack("<2Q", sizes)
    if basic is not None:
        pixels = encapsulate(frames)[:8] + struct.pack("<2L", *(true_offsets[at] for at in basic)) + pixels[8:]
    if extended is not None and lengths is not None:
        image.ExtendedOffsetTable = struct.pack("<2Q", *(true_offsets[at] for at in extended))
        image.ExtendedOffsetTableLengths = struct.pack("<2Q", *(true_sizes[at] for at in lengths))
    image.PixelData = pixels
    return image


@pytest.mark.parametrize(
    ("basic", "extended"), [(None, None), ([0, 1], None), (None, [0, 1])], ids=["none", "basic", "extended"]
)
def test_a_true_offset_table_is_followed(tmp_path: Path, basic: list[int] | None, extended: list[int] | None) -> None:
    """Frames are found by either table, and without one."""
    frames = decoded(with_offsets(basic, extended, extended), tmp_path).frames
    assert np.array_equal([frames[VIEW_ANTERIOR], frames[VIEW_POSTERIOR]], body_counts())


@pytest.mark.parametrize(
    ("basic", "extended", "lengths"),
    [
        ([1, 0], None, None),
        ([0, 0], None, None),
        ([1, 1], None, None),
        (None, [1, 0], [1, 0]),
        (None, [0, 0], [0, 0]),
        (None, [1, 1], [1, 1]),
        (None, [0, 1], [1, 0]),
    ],
)
def test_an_offset_table_that_lies_is_refused(
    tmp_path: Path, basic: list[int] | None, extended: list[int] | None, lengths: list[int] | None
) -> None:
    """One that swaps or repeats frames would show one view as the other."""
    assert "frame offsets" in refusal(with_offsets(basic, extended, lengths), tmp_path)


def of_sign(frame: NDArray[np.uint16], signed: bool) -> bytes:
    """Encode as JPEG 2000 with or without a sign."""
    values = frame.astype(np.int16) - 300 if signed else frame
    return bytes(imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True))


@pytest.mark.parametrize("signed", [False, True])
def test_jpeg_2000_of_another_sign_is_refused(tmp_path: Path, signed: bool) -> None:
    """-260 would be read as 65,276."""
    frames = [of_sign(frame, signed) for frame in body_counts()]
    image = with_frames(having(scan(), PixelRepresentation=int(not signed)), JPEG2000Lossless, frames)
    assert "disagree on the sign" in refusal(image, tmp_path)


def test_signed_jpeg_2000_is_read_where_the_header_says_so(tmp_path: Path) -> None:
    """Its negative values are no counts, the others are."""
    frames = [of_sign(frame + 290, True) for frame in body_counts()]
    image = with_frames(having(scan(), PixelRepresentation=1), JPEG2000Lossless, frames)
    expected = np.maximum(body_counts().astype(int) - 10, 0)
    assert np.array_equal(decoded(image, tmp_path).frames[VIEW_ANTERIOR], expected[0])


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1], ids=lambda uid: uid.name)
def test_a_codestream_of_more_bits_is_refused(tmp_path: Path, syntax: UID) -> None:
    """16 bits do not fit where 8 are allocated."""
    image = having(as_syntax(scan(), syntax), BitsAllocated=8, BitsStored=8, HighBit=7)
    assert "more bits" in refusal(image, tmp_path)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEGBaseline8Bit, lambda frame: grey_jpeg(frame, progressive=True)),
        (JPEGExtended12Bit, lambda frame: grey_jpeg(frame, progressive=True)),
        (JPEGBaseline8Bit, twelve_bits),
        (JPEGLosslessSV1, twelve_bits),
        (JPEGExtended12Bit, imagecodecs.ljpeg_encode),
        (JPEGLosslessSV1, imagecodecs.jpegls_encode),
        (JPEGLSLossless, imagecodecs.ljpeg_encode),
    ],
    ids=["progressive", "progressive, extended", "12 bits", "lossy", "lossless", "JPEG-LS", "no JPEG-LS"],
)
def test_a_jpeg_of_another_process_is_refused(tmp_path: Path, syntax: UID, encode: Callable[[Any], bytes]) -> None:
    """How a picture is coded must be what its transfer syntax says."""
    image = with_frames(scan(), syntax, [bytes(encode(frame)) for frame in body_counts()])
    assert f"are not {syntax.name}" in refusal(image, tmp_path)


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    """The end of the file is the end of the pixels."""
    digest = store(scan(), tmp_path)
    path = tmp_path / f"{digest}.dcm"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(Refused, match="cut short"):
        decode(both_views(digest), tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """An object that retention removed cannot be read any more."""
    with pytest.raises(Refused, match="no longer on disk"):
        decode(both_views("0" * 64), tmp_path)


def test_something_that_is_no_dicom_is_refused(tmp_path: Path) -> None:
    """Bytes without a header are not guessed at."""
    (tmp_path / "junk.dcm").write_bytes(os.urandom(5000))
    with pytest.raises(Refused, match="damaged"):
        decode(both_views("junk"), tmp_path)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1], ids=lambda uid: uid.name)
def test_a_codestream_of_other_dimensions_is_refused(tmp_path: Path, syntax: UID) -> None:
    """What the codestream announces is compared with the header before anything is allocated."""
    image = as_syntax(scan(body_counts(rows=512, cols=128)), syntax)
    assert "other dimensions" in refusal(having(image, Rows=256, Columns=64), tmp_path)


def test_a_header_that_announces_too_much_is_refused(tmp_path: Path) -> None:
    """64 MiB of pixels are allowed, of all frames together, and fewer if the caller says so."""
    image = having(scan(), Rows=8192, Columns=8192)
    assert refusal(image, tmp_path) == "The pixels would take 256 MiB, and 64 MiB are allowed."
    with pytest.raises(Refused, match="allowed"):
        decoded(scan(), tmp_path, limits=Limits(pixel_bytes=1000))


def huge_jpeg_2000() -> bytes:
    """A picture of 32 megapixels, the most that may be decoded, in some 90 KB."""
    counts = np.full((8192, 4096), 7, np.uint16)
    counts[:200, :256] = np.random.default_rng(0).integers(0, 4096, (200, 256))
    stream = imagecodecs.jpeg2k_encode(counts, level=0, codecformat="j2k", reversible=True)
    image = having(scan(body_counts(1), start_angles=(180,)), Rows=8192, Columns=4096)
    return file_bytes(with_frames(image, JPEG2000Lossless, [stream]))


def repeated_scan() -> bytes:
    """A progressive picture of 32 megapixels whose last scan, of 55 bytes, comes again and again."""
    whole = grey_jpeg(np.full((8192, 4096), 99, np.uint16), progressive=True, quality=90)
    last = whole.rindex(b"\xff\xda")
    head = whole[: whole.index(b"\xff\xc4")] + whole[whole.rindex(b"\xff\xc4", 0, last) : last]
    stream = head + whole[last:-2] * 1700 + whole[-2:]
    image = having(scan(body_counts(1), start_angles=(180,)), Rows=8192, Columns=4096)
    return file_bytes(with_frames(image, JPEGExtended12Bit, [stream]))


def deflated_elements() -> bytes:
    """A data set that unfolds to eight million elements, which take a reader 20 s."""
    image = having(scan(), PixelData=b"")
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta = file_bytes(image)[
        : 128 + 4 + 12 + dcmread(BytesIO(file_bytes(image))).file_meta.FileMetaInformationGroupLength
    ]
    squeeze = zlib.compressobj(9, wbits=-15)
    return meta + squeeze.compress(struct.pack("<HH2sH", 0x11, 0x1001, b"LO", 0) * 8_000_000) + squeeze.flush()


BILL = """
import json, sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
import psutil
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, SelectedView
from scintiflow.decode import decode, warm
from scintiflow.errors import Refused

def cpu():
    gone = getrusage(RUSAGE_CHILDREN)
    lives = [child.cpu_times() for child in psutil.Process().children()]
    return gone.ru_utime + gone.ru_stime + sum(one.user + one.system for one in lives)

def peak():
    status = [Path(f"/proc/{child.pid}/status").read_text() for child in psutil.Process().children()]
    lives = [int(line.split()[1]) for text in status for line in text.splitlines() if line.startswith("VmHWM")]
    return max([getrusage(RUSAGE_CHILDREN).ru_maxrss, *lives]) / 1024

warm()
began, ended = cpu(), "decoded"
try:
    decode([SelectedView(view=VIEW_ANTERIOR, digest="bomb", frame=1)], Path(sys.argv[1]))
except Refused as error:
    ended = str(error)
print(json.dumps([ended, cpu() - began, peak()]))
"""


@pytest.mark.parametrize(
    ("bomb", "ends"),
    [
        (huge_jpeg_2000, ("decoded", "The pixels were not decoded within")),
        (repeated_scan, "The compressed pixels are not JPEG Extended"),
        (deflated_elements, "A deflated file is not read"),
    ],
)
def test_a_bomb_costs_less_than_two_seconds_and_512_mib(
    tmp_path: Path, bomb: Callable[[], bytes], ends: str | tuple[str, ...]
) -> None:
    """100 KB that unfold to 64 MiB of pixels, to thousands of scans or millions of elements cost no more than that."""
    (tmp_path / "bomb.dcm").write_bytes(bomb())
    assert (tmp_path / "bomb.dcm").stat().st_size < 100_000
    command = [sys.executable, "-c", BILL, tmp_path]
    bill = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parents[2])
    ended, cpu_seconds, peak_mib = json.loads(bill.stdout)
    print(f"{ended}: {cpu_seconds:.2f} s of CPU, at most {peak_mib:.0f} MiB")
    assert ended.startswith(ends)
    assert cpu_seconds < 2
    assert peak_mib < 512


def test_a_panic_of_the_rle_decoder_is_a_refusal(tmp_path: Path) -> None:
    """A segment that runs over makes the decoder panic, which is no `Exception`; it ends as a sentence."""
    segment = b"\x81\x05" * (256 * 64 // 128 + 1)
    frame = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13) + segment * 2
    assert "damaged" in refusal(with_frames(scan(), RLELossless, [frame, frame]), tmp_path)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: with_frames(scan(), MPEG2MPML, [b"\0" * 100] * 2), "not read"),
        (lambda: having(scan(), SamplesPerPixel=3), "colour"),
        (lambda: having(scan(body_counts(1), start_angles=(180,)), NumberOfFrames=2), "cut short"),
        (lambda: with_frames(scan(), JPEGExtended12Bit, [b"\0" * 500] * 2), "no JPEG"),
    ],
    ids=["video", "colour", "fewer frames than stated", "no JPEG at all"],
)
def test_pixels_that_are_no_counts_are_refused(tmp_path: Path, build: Callable[[], Dataset], reason: str) -> None:
    """Each gets a sentence of its own."""
    assert reason in refusal(build(), tmp_path)


def test_a_frame_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Selection and pixels must agree on the number of frames."""
    digest = store(one_view(180), tmp_path)
    with pytest.raises(Refused, match="number of frames"):
        decode([SelectedView(view=VIEW_ANTERIOR, digest=digest, frame=2)], tmp_path)


def test_time_is_limited(tmp_path: Path) -> None:
    """A decode that takes too long is killed, and says how long it may take."""
    decoded(scan(), tmp_path)
    stuck = children()
    for child in stuck:
        child.suspend()
    assert "within 0.2 seconds" in refusal(scan(), tmp_path, limits=Limits(seconds=0.2))
    for child in set(stuck) & set(children()):
        child.resume()


def test_time_of_the_processor_is_limited(tmp_path: Path) -> None:
    """A bomb ends when it has used its time of the processor, says how much that is, and is not tried again."""
    (tmp_path / "bomb.dcm").write_bytes(huge_jpeg_2000())
    decoded(scan(), tmp_path)
    before = {child.pid for child in children()}
    with pytest.raises(Refused, match=r"not decoded within 0\.1 seconds"):
        decode([SelectedView(view=VIEW_ANTERIOR, digest="bomb", frame=1)], tmp_path, Limits(cpu_seconds=0.1))
    assert len(before - {child.pid for child in children()}) == 1
    assert {child.pid for child in children()} < before


def test_each_scan_has_time_of_its_own(tmp_path: Path) -> None:
    """A child that used up more than that in the course of many scans goes on."""
    decoded(scan(), tmp_path)
    before = children()
    limits = Limits(cpu_seconds=0.2)
    used = spent(before)
    wait_for(lambda: decoded(scan(), tmp_path, limits=limits) and spent(before) > used + 0.6, BOUND_SECONDS, every=0)
    assert children() == before


def spent(processes: list[psutil.Process]) -> float:
    """Return the seconds of the processor that the busiest has used."""
    return max(sum(one.cpu_times()[:2]) for one in processes)


def test_the_child_stays_warm(tmp_path: Path) -> None:
    """Good scans one after the other are decoded by one process, even when the thread that began it is gone."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(decoded, scan(), tmp_path).result()
    first = {child.pid for child in children()}
    for _ in range(3):
        decoded(scan(), tmp_path)
    assert {child.pid for child in children()} == first


def test_a_killed_child_is_replaced(tmp_path: Path) -> None:
    """Whoever kills idle children costs a restart and no scan."""
    decoded(scan(), tmp_path)
    for child in children():
        child.kill()
    assert decoded(scan(), tmp_path).present.all()


def test_a_child_killed_at_work_costs_no_scan(tmp_path: Path) -> None:
    """A scan whose decoder was killed by somebody else is decoded again in another one."""
    decoded(scan(), tmp_path)
    stopped = children()
    for child in stopped:
        child.suspend()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(decoded, scan(), tmp_path)
        wait_for(lambda: at_work() == 1, BOUND_SECONDS, every=0.01)
        for child in stopped:
            child.kill()
        assert waiting.result(BOUND_SECONDS).present.all()


def test_threads_decode_side_by_side(tmp_path: Path) -> None:
    """Many callers at once each get their own scan."""
    images = [scan(body_counts(seed=seed)) for seed in range(8)]
    digests = [store(image, tmp_path) for image in images]

    def anterior(digest: str) -> NDArray[np.float32]:
        return decode(both_views(digest), tmp_path).frames[VIEW_ANTERIOR]

    with ThreadPoolExecutor(4) as pool:
        for seed, frame in enumerate(pool.map(anterior, digests)):
            assert np.array_equal(frame, body_counts(seed=seed)[0])
    assert len(children()) <= (os.cpu_count() or 1)


def test_an_event_loop_may_decode_in_a_thread(tmp_path: Path) -> None:
    """The classifier's asynchronous server calls the same function."""
    assert asyncio.run(asyncio.to_thread(decoded, scan(), tmp_path)).present.all()


def test_a_slow_scan_does_not_hold_up_another(tmp_path: Path) -> None:
    """While one child hangs, another caller is served."""
    decoded(scan(), tmp_path)
    hanging = children()
    for child in hanging:
        child.suspend()
    with ThreadPoolExecutor(len(hanging)) as pool:
        stuck = [pool.submit(decoded, scan(), tmp_path) for _ in hanging]
        wait_for(lambda: at_work() == len(hanging), BOUND_SECONDS, every=0.01)
        assert decoded(scan(), tmp_path).present.all()
        for child in hanging:
            child.resume()
        assert all(one.result(BOUND_SECONDS).present.all() for one in stuck)


PARENT = """
import sys
from pathlib import Path
from scintiflow.decode import decode
from scintiflow.errors import Unavailable
from tests.builders import both_views
{before}
try:
    decode(both_views({digest!r}), Path({folder!r}))
except Unavailable as error:
    print("unavailable:", error, flush=True)
else:
    print("decoded", flush=True)
sys.stdin.read()
"""


def parent(tmp_path: Path, before: str = "") -> subprocess.Popen[str]:
    """Start a process that decodes one scan, says how that went, and waits."""
    program = PARENT.format(digest=store(scan(), tmp_path), folder=str(tmp_path), before=before)
    command = [sys.executable, "-c", program]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    """kill -9 of the parent leaves no decoder behind, not even one that hangs."""
    with parent(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "decoded\n"
        (child,) = children(process.pid)
        child.suspend()
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, BOUND_SECONDS, every=0.01)


def test_a_child_that_cannot_be_started_is_worth_a_retry(tmp_path: Path) -> None:
    """Without file descriptors for its pipes, decoding is unavailable, not refused."""
    few_files = (
        "import resource, os; resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')), 64))"
    )
    with parent(tmp_path, few_files) as process:
        said, _ = process.communicate("")
    assert said.startswith("unavailable: ")


def test_a_warm_decoder_waits_for_the_first_scan(tmp_path: Path) -> None:
    """After warming, a scan is decoded by a child that was there before it."""
    warm()
    before = {child.pid for child in children()}
    decoded(scan(), tmp_path)
    assert {child.pid for child in children()} == before
