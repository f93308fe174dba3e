"""Dimensions that are impossible or contradicted, and pixels that take their decoder down."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.builders import body_counts
from tests.corpus.fault import PIXEL_DATA, SEQUENCE_END, UNDEFINED, Fault, Raw, Sent, fresh, sent

_FRAMES, _ROWS, _COLUMNS, _SAMPLES = 0x00280008, 0x00280010, 0x00280011, 0x00280002
_ALLOCATED, _STORED, _HIGH_BIT = 0x00280100, 0x00280101, 0x00280102
_SIZE = 2 * 256 * 64 * 2


def having(**elements: object) -> Callable[[], Sent]:
    """Return what builds a scan with some elements changed."""
    return lambda: sent(fresh(**elements))


def short(tag: int, *numbers: int) -> Raw:
    """Return an element of unsigned 16-bit numbers."""
    return Raw(tag, b"US", struct.pack(f"<{len(numbers)}H", *numbers))


def with_raw(*pieces: Raw) -> Callable[[], Sent]:
    """Return what builds a scan with these elements."""
    return lambda: sent(fresh(), *pieces)


def of_pixels(data: bytes, **elements: object) -> Callable[[], Sent]:
    """Return what builds a scan with other pixel data."""
    return lambda: sent(fresh(**elements), Raw(PIXEL_DATA, b"OW", data))


def compressed(
    syntax: UID, frames: Callable[[], list[bytes]], *, count: int = 2, said: UID | None = None, **elements: object
) -> Callable[[], Sent]:
    """Return what builds a scan of compressed frames."""

    def build() -> Sent:
        image = fresh(NumberOfFrames=count, **elements)
        image.file_meta.TransferSyntaxUID = syntax
        image.PixelData = encapsulate(frames())
        image["PixelData"].VR = "OB"
        image["PixelData"].is_undefined_length = True
        return sent(image, said=said)

    return build


def twice(encode: Callable[[NDArray[Any]], bytes], counts: NDArray[Any] | None = None) -> list[bytes]:
    """Return two frames of these counts."""
    return [encode(frame) for frame in (body_counts() if counts is None else counts)]


def j2k(frame: NDArray[Any]) -> bytes:
    """Encode as a bare codestream."""
    return bytes(imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True))


def jls(frame: NDArray[np.uint16]) -> bytes:
    """Encode as JPEG-LS."""
    return bytes(imagecodecs.jpegls_encode(frame))


def jpeg(frame: NDArray[np.uint16]) -> bytes:
    """Encode as JPEG Lossless."""
    return bytes(imagecodecs.ljpeg_encode(frame))


def j2k_of(rows: int, cols: int) -> list[bytes]:
    """Return codestreams that announce other dimensions than they hold."""
    frames = [bytearray(frame) for frame in twice(j2k)]
    for frame in frames:
        struct.pack_into(">2I", frame, 8, cols, rows)
    return [bytes(frame) for frame in frames]


def decoyed(rows: int, cols: int) -> list[bytes]:
    """Return JP2 files with a small codestream header in a free box, and one that announces much behind it."""
    small, large = j2k(body_counts(1)[0]), bytearray(j2k(np.full((64, 64), 7, np.uint16)))
    struct.pack_into(">2I", large, 8, cols, rows)
    struct.pack_into(">2I", large, 24, cols, rows)  # one tile, as large as the picture
    box = struct.pack(">I4s", 8 + 60, b"free") + small[:60]
    head = struct.pack(">I4sI", 12, b"jP  ", 0x0D0A870A) + struct.pack(">I4s4sI4s", 20, b"ftyp", b"jp2 ", 0, b"jp2 ")
    size = struct.pack(">I4sIIHBBBB", 22, b"ihdr", rows, cols, 1, 15, 7, 0, 0)
    colour = struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 17)
    described = struct.pack(">I4s", 8 + len(size) + len(colour), b"jp2h") + size + colour
    return [head + box + described + struct.pack(">I4s", 0, b"jp2c") + bytes(large)] * 2


def jls_of(rows: int, cols: int) -> list[bytes]:
    """Return JPEG-LS streams that announce other dimensions than they hold."""
    frames = [bytearray(frame) for frame in twice(jls)]
    for frame in frames:
        struct.pack_into(">2H", frame, frame.index(b"\xff\xf7") + 5, rows, cols)
    return [bytes(frame) for frame in frames]


def jpeg_of(rows: int, cols: int, components: int = 1) -> list[bytes]:
    """Return JPEG Lossless streams that announce other dimensions, or colours, than they hold."""
    frames = [bytearray(frame) for frame in twice(jpeg)]
    for frame in frames:
        struct.pack_into(">2HB", frame, frame.index(b"\xff\xc3") + 5, rows, cols, components)
    return [bytes(frame) for frame in frames]


def rle(run: bytes) -> list[bytes]:
    """Return frames of two RLE segments."""
    return [struct.pack("<16I", 2, 64, 64 + len(run), *[0] * 13) + run * 2] * 2


def garbled(encode: Callable[[NDArray[np.uint16]], bytes]) -> list[bytes]:
    """Return frames with a sound header and nonsense behind it."""
    return [frame[:120] + b"\x7f" * (len(frame) - 122) + frame[-2:] for frame in twice(encode)]


def halved(stream: bytes) -> bytes:
    """Return the first half of a stream, with its end."""
    return stream[: len(stream) // 2] + b"\xff\xd9"


def pierced(stream: bytes, plug: bytes) -> bytes:
    """Return a stream with something else for 200 bytes of its middle."""
    middle = len(stream) // 2
    return stream[:middle] + plug + stream[middle + 200 :]


def jpeg_12(frame: NDArray[np.uint16]) -> bytes:
    """Encode as JPEG Extended of 12 bits."""
    return bytes(imagecodecs.jpeg8_encode(frame, level=100, bitspersample=12))


def progressive(frame: NDArray[np.uint16]) -> bytes:
    """Encode as progressive JPEG, which no transfer syntax allows."""
    file = BytesIO()
    Image.fromarray(frame.astype(np.uint8)).save(file, "JPEG", progressive=True)
    return file.getvalue()


def j2k_of_bits(bits: int) -> list[bytes]:
    """Return codestreams that announce more bits than they hold."""
    frames = [bytearray(frame) for frame in twice(j2k)]
    for frame in frames:
        frame[42] = bits - 1
    return [bytes(frame) for frame in frames]


def with_offsets(order: tuple[int, int]) -> Sent:
    """A scan whose offset table leads to these frames."""
    image = fresh()
    image.file_meta.TransferSyntaxUID = JPEG2000Lossless
    pixels = bytearray(encapsulate(twice(j2k)))
    offsets = struct.unpack_from("<2L", pixels, 8)
    struct.pack_into("<2L", pixels, 8, *(offsets[frame] for frame in order))
    return sent(image, Raw(PIXEL_DATA, b"OB", bytes(pixels) + Raw(SEQUENCE_END, b"").encoded(), UNDEFINED))


def with_extended_offsets(order: tuple[int, int], of_lengths: tuple[int, int] | None = None) -> Sent:
    """A scan whose extended table leads to these frames, with the lengths of these others."""
    image = fresh()
    image.file_meta.TransferSyntaxUID = JPEG2000Lossless
    pixels, *tables = encapsulate_extended(twice(j2k))
    offsets, lengths = (struct.unpack("<2Q", table) for table in tables)
    return sent(
        image,
        Raw(0x7FE00001, b"OV", struct.pack("<2Q", *(offsets[frame] for frame in order))),
        Raw(0x7FE00002, b"OV", struct.pack("<2Q", *(lengths[frame] for frame in of_lengths or order))),
        Raw(PIXEL_DATA, b"OB", pixels + Raw(SEQUENCE_END, b"").encoded(), UNDEFINED),
    )


def native_overlay() -> Sent:
    """Overlays once lay in the unused bits of each pixel (PS3.5 8.1.2)."""
    image = fresh(BitsStored=12, HighBit=11)
    image.PixelData = (body_counts() | 0x1000).astype("<u2").tobytes()
    return sent(image)


def icon(frames: int) -> Sent:
    """A scan with a picture of its own inside, which is not its pixels."""
    image = fresh()
    small = Dataset()
    small.Rows = small.Columns = 30_000
    small.NumberOfFrames, small.BitsAllocated = frames, 16
    small.PixelData = b"\0\0"
    small["PixelData"].VR = "OW"
    image.IconImageSequence = [small]
    return sent(image)


def floating(value: float) -> Sent:
    """A scan of floating point numbers, one of them as given."""
    counts = body_counts().astype("<f4")
    counts[0, 5, 5] = value
    image = fresh(PixelData=None, BitsAllocated=32, BitsStored=None, HighBit=None, PixelRepresentation=None)
    return sent(image, Raw(0x7FE00008, b"OF", counts.tobytes()))


def waveform() -> Sent:
    """Megabytes of something else in front of the pixels."""
    return sent(fresh(), Raw(0x00550010, b"LO", b"CORPUS"), Raw(0x00551002, b"OB", bytes(8 << 20)))


def most(bits: int) -> Sent:
    """Every pixel at its highest value."""
    pixels = np.full((2, 256, 64), 2**bits - 1, f"<u{bits // 8}").tobytes()
    image = fresh(BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1)
    return sent(image, Raw(PIXEL_DATA, b"OW", pixels))


def j2k_bits(frame: NDArray[np.uint16], bits: int) -> bytes:
    """Encode with fewer bits than the header says."""
    return bytes(imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True, bitspersample=bits))


def implicit_without_length() -> Sent:
    """Fragments need explicit VR (PS3.5 A.4); a walk that knows no VR takes these for a sequence."""
    image = fresh()
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return sent(image, Raw(PIXEL_DATA, b"OW", b"\xfe\xff\xdd\xe0\0\0\0\0", UNDEFINED))


def empty_fragments() -> Sent:
    """As many fragments as frames, and nothing in them."""
    image = fresh()
    image.file_meta.TransferSyntaxUID = JPEG2000Lossless
    value = Raw(0xFFFEE000, b"").encoded() * 3 + Raw(0xFFFEE0DD, b"").encoded()
    return sent(image, Raw(PIXEL_DATA, b"OB", value, UNDEFINED))


def fragment_past_the_end() -> Sent:
    """The last fragment claims more than there is."""
    whole = compressed(JPEG2000Lossless, lambda: twice(j2k))()
    return Sent(whole.data[:-500], whole.study, whole.sop_class, whole.sop_instance, whole.syntax)


def fragments_without_end() -> Sent:
    """The delimiter is missing."""
    whole = compressed(JPEG2000Lossless, lambda: twice(j2k))()
    return Sent(whole.data[:-8], whole.study, whole.sop_class, whole.sop_instance, whole.syntax)


FAULTS: dict[str, Fault] = {
    # impossible by themselves
    "no rows": Fault(having(Rows=0), "unreadable", "impossible"),
    "no columns": Fault(having(Columns=0), "unreadable", "impossible"),
    "no frames": Fault(having(NumberOfFrames=0), "unreadable", "impossible"),
    "frames below nought": Fault(with_raw(Raw(_FRAMES, b"IS", b"-2")), "unreadable", "impossible"),
    "2^31 frames": Fault(having(NumberOfFrames=2**31 - 1), "unreadable", "shorter"),
    "2^32 + 2 frames": Fault(with_raw(Raw(_FRAMES, b"IS", b"4294967298")), "unreadable", "shorter"),
    "frames in the manner of a float": Fault(with_raw(Raw(_FRAMES, b"IS", b"2e0 ")), "unreadable", "impossible"),
    "frames that are no number": Fault(with_raw(Raw(_FRAMES, b"IS", b"NaN ")), "unreadable", "impossible"),
    "two numbers of frames": Fault(with_raw(Raw(_FRAMES, b"IS", b"2\\2 ")), "unreadable", "impossible"),
    "frames in another script": Fault(with_raw(Raw(_FRAMES, b"IS", "٢".encode())), "unreadable", "impossible"),
    "rows x columns x frames beyond 2^64": Fault(
        having(Rows=65535, Columns=65535, NumberOfFrames=2**31 - 1), "unreadable", "shorter"
    ),
    "two numbers of rows": Fault(with_raw(short(_ROWS, 256, 256)), "unreadable", "impossible"),
    "rows of one byte": Fault(with_raw(Raw(_ROWS, b"US", b"\xff")), "unreadable", "impossible"),
    "rows of 32 bits": Fault(with_raw(Raw(_ROWS, b"UL", struct.pack("<L", 65536 + 256))), "unreadable", "impossible"),
    "no rows at all": Fault(having(Rows=None), "unreadable", "impossible"),
    "13 bits allocated": Fault(having(BitsAllocated=13), "unreadable", "impossible"),
    "no bits allocated": Fault(having(BitsAllocated=None), "unreadable", "impossible"),
    "more bits stored than allocated": Fault(having(BitsStored=17), "unreadable", "impossible"),
    "no bit stored": Fault(having(BitsStored=0), "unreadable", "impossible"),
    "no samples": Fault(having(SamplesPerPixel=0), "unreadable", "impossible"),
    "two samples": Fault(having(SamplesPerPixel=2), "unreadable", "impossible"),
    "65,535 samples": Fault(having(SamplesPerPixel=65535), "unreadable", "impossible"),
    # shorter or longer than they say
    "a byte short": Fault(of_pixels(bytes(_SIZE - 1)), "unreadable", "shorter"),
    "a byte long": Fault(of_pixels(body_counts().tobytes() + b"\0"), "read"),
    "a frame more than said": Fault(of_pixels(body_counts(3).tobytes()), "read"),
    "no bytes": Fault(of_pixels(b""), "unreadable", "shorter"),
    "no pixels at all": Fault(having(PixelData=None), "parked"),
    # said otherwise than they come
    "fragments in a native syntax": Fault(
        compressed(JPEG2000Lossless, lambda: twice(j2k), said=ExplicitVRLittleEndian), "unreadable", "transfer syntax"
    ),
    "native pixels in a compressed syntax": Fault(
        lambda: sent(fresh(), said=JPEG2000Lossless), "unreadable", "transfer syntax"
    ),
    "implicit pixels without a length": Fault(implicit_without_length, "unreadable"),
    # codestream against header
    "more frames than fragments": Fault(
        compressed(JPEG2000Lossless, lambda: twice(j2k), count=3), "unreadable", "more frames than"
    ),
    "fewer frames than fragments": Fault(
        compressed(JPEG2000Lossless, lambda: [*twice(j2k), *twice(j2k)], count=2), "read"
    ),
    "a fragment past the end": Fault(fragment_past_the_end, "unreadable", "cut short"),
    "fragments without an end": Fault(fragments_without_end, "unreadable", "cut short"),
    "empty fragments": Fault(empty_fragments, "parked"),
    "JPEG 2000 of other dimensions": Fault(
        compressed(JPEG2000Lossless, lambda: j2k_of(128, 64)), "parked", "other dim"
    ),
    "JPEG 2000 of 4 gigapixels": Fault(
        compressed(JPEG2000Lossless, lambda: j2k_of(65_000, 65_000)), "parked", "other dim"
    ),
    "JPEG 2000 of 2^32 rows": Fault(
        compressed(JPEG2000Lossless, lambda: j2k_of(2**32 - 1, 2**32 - 1)), "parked", "other dim"
    ),
    "JPEG 2000 behind a decoy": Fault(compressed(JPEG2000Lossless, lambda: decoyed(30_000, 30_000)), "parked"),
    "JPEG 2000 of 12 bits in 16": Fault(
        compressed(JPEG2000Lossless, lambda: twice(lambda frame: j2k_bits(frame, 12))), "read"
    ),
    "JPEG 2000 of 8 bits in 16": Fault(
        compressed(JPEG2000Lossless, lambda: twice(lambda frame: j2k(frame.astype(np.uint8)))), "read"
    ),
    "JPEG 2000 below nought, unsigned": Fault(
        compressed(JPEG2000Lossless, lambda: twice(j2k, body_counts().astype(np.int16) - 300)), "parked", "sign"
    ),
    "JPEG 2000 below nought, signed": Fault(
        compressed(JPEG2000Lossless, lambda: twice(j2k, body_counts().astype(np.int16) - 3), PixelRepresentation=1),
        "read",
    ),
    "JPEG 2000 without sign, signed": Fault(
        compressed(JPEG2000Lossless, lambda: twice(j2k), PixelRepresentation=1), "parked", "sign"
    ),
    "JPEG 2000 of 20 bits in 16": Fault(compressed(JPEG2000Lossless, lambda: j2k_of_bits(20)), "parked", "more bits"),
    "JPEG 2000 in colour": Fault(
        compressed(JPEG2000Lossless, lambda: twice(lambda frame: j2k(np.stack([frame] * 3, -1)))), "parked", "other dim"
    ),
    "JPEG 2000 of nonsense": Fault(compressed(JPEG2000Lossless, lambda: garbled(j2k)), "parked"),
    "frame offsets, right": Fault(lambda: with_offsets((0, 1)), "read"),
    "frame offsets, swapped": Fault(lambda: with_offsets((1, 0)), "parked", "frame offsets"),
    "frame offsets, one for both": Fault(lambda: with_offsets((0, 0)), "parked", "frame offsets"),
    "extended offsets, right": Fault(lambda: with_extended_offsets((0, 1)), "read"),
    "extended offsets, swapped": Fault(lambda: with_extended_offsets((1, 0)), "parked", "frame offsets"),
    "extended offsets, one for both": Fault(lambda: with_extended_offsets((0, 0)), "parked", "frame offsets"),
    "extended offsets, the lengths swapped": Fault(
        lambda: with_extended_offsets((0, 1), (1, 0)), "parked", "frame offsets"
    ),
    "JPEG-LS of other dimensions": Fault(compressed(JPEGLSLossless, lambda: jls_of(128, 64)), "parked", "other dim"),
    "JPEG-LS of 4 gigapixels": Fault(compressed(JPEGLSLossless, lambda: jls_of(65_000, 65_000)), "parked", "other"),
    "JPEG-LS of nonsense": Fault(compressed(JPEGLSLossless, lambda: garbled(jls)), "parked"),
    "JPEG Lossless of other dimensions": Fault(
        compressed(JPEGLosslessSV1, lambda: jpeg_of(128, 64)), "parked", "other dim"
    ),
    "JPEG Lossless of 4 gigapixels": Fault(
        compressed(JPEGLosslessSV1, lambda: jpeg_of(65_000, 65_000)), "parked", "other dim"
    ),
    "JPEG Lossless of three colours": Fault(
        compressed(JPEGLosslessSV1, lambda: jpeg_of(256, 64, 3)), "parked", "other dim"
    ),
    "JPEG Lossless of nonsense": Fault(compressed(JPEGLosslessSV1, lambda: garbled(jpeg)), "parked", "damaged"),
    "JPEG Lossless of a half, and ended": Fault(
        compressed(JPEGLosslessSV1, lambda: twice(lambda frame: halved(jpeg(frame)))), "parked", "damaged"
    ),
    "JPEG Lossless without a piece": Fault(
        compressed(JPEGLosslessSV1, lambda: twice(lambda frame: pierced(jpeg(frame), b""))), "parked", "damaged"
    ),
    "JPEG Lossless with a piece of zeros": Fault(
        compressed(JPEGLosslessSV1, lambda: twice(lambda frame: pierced(jpeg(frame), bytes(200)))), "parked", "damaged"
    ),
    "JPEG of 12 bits": Fault(compressed(JPEGExtended12Bit, lambda: twice(jpeg_12)), "read"),
    "JPEG of 12 bits of a half, and ended": Fault(
        compressed(JPEGExtended12Bit, lambda: twice(lambda frame: halved(jpeg_12(frame)))), "parked", "damaged"
    ),
    "JPEG of 12 bits without a piece": Fault(
        compressed(JPEGExtended12Bit, lambda: twice(lambda frame: pierced(jpeg_12(frame), b""))), "parked", "damaged"
    ),
    "JPEG of 12 bits in baseline": Fault(
        compressed(JPEGBaseline8Bit, lambda: twice(jpeg_12)), "parked", "are not JPEG Baseline"
    ),
    "JPEG that is progressive": Fault(
        compressed(JPEGExtended12Bit, lambda: twice(progressive)), "parked", "are not JPEG Extended"
    ),
    "JPEG Lossless in an extended syntax": Fault(
        compressed(JPEGExtended12Bit, lambda: twice(jpeg)), "parked", "are not JPEG Extended"
    ),
    "JPEG that is JPEG 2000": Fault(compressed(JPEGExtended12Bit, lambda: twice(j2k)), "parked"),
    "JPEG 2000 that is JPEG": Fault(compressed(JPEG2000Lossless, lambda: twice(jpeg)), "parked"),
    "RLE that runs over": Fault(compressed(RLELossless, lambda: rle(b"\x81\x05" * 10_000)), "parked"),
    "RLE that ends early": Fault(compressed(RLELossless, lambda: rle(b"\x81\x05")), "parked"),
    "RLE of offsets beyond it": Fault(
        compressed(RLELossless, lambda: [struct.pack("<16I", 2, 64, 2**32 - 1, *[0] * 13) + bytes(99)] * 2), "parked"
    ),
    "RLE of 2^32 - 1 segments": Fault(
        compressed(RLELossless, lambda: [struct.pack("<16I", 2**32 - 1, *[64] * 15) + bytes(99)] * 2), "parked"
    ),
    "RLE without a header": Fault(compressed(RLELossless, lambda: [b"\0\0", b"\0\0"]), "parked"),
    # bombs: they cost what they cost, and no more
    "RLE that expands to 256 MiB": Fault(
        compressed(RLELossless, lambda: rle(b"\x81\x05" * 9_000), Rows=16_384, Columns=4096), "parked", "MiB"
    ),
    "JPEG 2000 of 64 MiB and more": Fault(
        compressed(JPEG2000Lossless, lambda: j2k_of(16_384, 4096), Rows=16_384, Columns=4096), "parked", "MiB"
    ),
    "a picture inside that lies": Fault(lambda: icon(2**31 - 1), "read"),
    "megabytes of something else": Fault(waveform, "read"),
    # values
    "pixels at 65,535": Fault(lambda: most(16), "read"),
    "pixels at 2^32 - 1": Fault(lambda: most(32), "read"),
    "floating point": Fault(lambda: floating(5.5), "read"),
    "floating point that is none": Fault(lambda: floating(float("nan")), "parked", "no counts"),
    "floating point without bounds": Fault(lambda: floating(float("inf")), "parked", "no counts"),
    "floating point below nought": Fault(lambda: floating(-7.0), "read"),
    "overlays in the pixels": Fault(native_overlay, "read"),
    "a high bit that is not the highest": Fault(having(HighBit=14), "parked", "High Bit"),
    "a slope that is none": Fault(
        with_raw(Raw(0x00281052, b"DS", b"0 "), Raw(0x00281053, b"DS", b"NaN ")), "parked", "slope"
    ),
    "a slope that overflows": Fault(with_raw(Raw(0x00281053, b"DS", b"1e300 ")), "parked", "no counts"),
    "a slope of 10^30": Fault(with_raw(Raw(0x00281053, b"DS", b"1e30")), "parked", "no counts"),
    "an intercept that is none": Fault(
        with_raw(Raw(0x00281052, b"DS", b"NaN "), Raw(0x00281053, b"DS", b"1 ")), "parked", "slope"
    ),
    # not the counts of a camera
    "colour": Fault(
        lambda: sent(
            fresh(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0),
            Raw(PIXEL_DATA, b"OW", bytes(3 * _SIZE)),
        ),
        "declined",
        "colour",
    ),
    "a palette": Fault(having(PhotometricInterpretation="PALETTE COLOR"), "declined", "colour"),
    "inverted": Fault(having(PhotometricInterpretation="MONOCHROME1"), "read"),
    "8 bits": Fault(of_pixels(bytes(_SIZE // 2), BitsAllocated=8, BitsStored=8, HighBit=7), "declined", "8 bits"),
    "1 bit": Fault(of_pixels(bytes(_SIZE // 16), BitsAllocated=1, BitsStored=1, HighBit=0), "declined", "8 bits"),
    "signed": Fault(having(PixelRepresentation=1), "read"),
    "no photometric interpretation": Fault(having(PhotometricInterpretation=None), "declined", "colour"),
    "no counts": Fault(of_pixels(bytes(_SIZE)), "declined", "no counts"),
}
