"""What a compressed picture says of itself, ahead of its pixels."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from scintiflow.errors import Refused

START_OF_SCAN, HUFFMAN_TABLES, RESTART_INTERVAL = 0xDA, 0xC4, 0xDD
BASELINE, EXTENDED, LOSSLESS, JPEG_LS = 0xC0, 0xC1, 0xC3, 0xF7
"""Which marker starts a frame of which process: JPEG (T.81 table B.1) and JPEG-LS (T.87 C.1.1)."""

_STARTS_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {JPEG_LS}

_SOC_SIZ = b"\xff\x4f\xff\x51"
"""How a JPEG 2000 codestream begins (T.800 A.4.1, A.5.1)."""


class Announced(NamedTuple):
    """A picture as its codestream announces it."""

    rows: int
    cols: int
    components: int
    bits: int
    signed: bool | None
    """None in JPEG and JPEG-LS, where the header alone says it."""
    process: int | None
    """The marker that starts a JPEG frame, None in JPEG 2000."""


class Segment(NamedTuple):
    """A marker segment of a JPEG picture."""

    kind: int
    content: bytes
    end: int
    """Where the next one begins, or the data of a scan."""


def segments(stream: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG or JPEG-LS picture up to its first scan (T.81 B.1.1); struct.error if it has none.

    Raises:
        Refused: there is something else between them.
    """
    place, kind = 2, 0
    while kind != START_OF_SCAN:
        mark, kind = struct.unpack_from(">BB", stream, place)
        if mark != 0xFF:
            raise Refused("The compressed pixels are no JPEG picture: send the scan again.")
        if kind == 0xFF:  # a fill byte
            place += 1
            continue
        (length,) = struct.unpack_from(">H", stream, place + 2)
        end = place + 2 + length
        yield Segment(kind, stream[place + 4 : end], end)
        place = end


def of_jpeg(stream: bytes) -> Announced:
    """Read the frame header of a JPEG or JPEG-LS picture (T.81 B.2.2); StopIteration if there is none."""
    frame = next(segment for segment in segments(stream) if segment.kind in _STARTS_OF_FRAME)
    bits, rows, cols, components = struct.unpack_from(">BHHB", frame.content)
    return Announced(rows, cols, components, bits, signed=None, process=frame.kind)


def of_jpeg_2000(stream: bytes) -> Announced:
    """Read the image and tile size of a JPEG 2000 picture (T.800 A.5.1); ValueError if there is none."""
    place = stream.index(_SOC_SIZ) + len(_SOC_SIZ) + 4
    right, bottom, left, top = struct.unpack_from(">4I", stream, place)
    components, depth = struct.unpack_from(">HB", stream, place + 32)
    return Announced(bottom - top, right - left, components, (depth & 0x7F) + 1, depth >= 0x80, process=None)
