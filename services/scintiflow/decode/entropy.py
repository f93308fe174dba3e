"""Whether the entropy-coded data of a JPEG picture are whole.

libjpeg makes up what is missing and passes over what is left, and its warnings are lost on the way: a scan that was cut
and ended, or lost a piece, would decode to thousands of wrong counts. So its symbols are counted here without their
values: as many as the picture needs must end where the data end. Damage that leaves that as it was stays unseen.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scintiflow.decode.codestream import (
    HUFFMAN_TABLES,
    LOSSLESS,
    RESTART_INTERVAL,
    Announced,
    segments,
)

_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_RESTARTS = bytes(range(0xD0, 0xD8))
_END_OF_IMAGE = b"\xd9"

_MOST_LEFT = 1
"""Bytes behind the last symbol: some encoders flush an empty one."""

_BLOCK, _COEFFICIENTS = 8, 64
_OF_AC = 0x10
"""Marks the Huffman table of AC coefficients (T.81 B.2.4.2)."""

_END_OF_BLOCK, _LONGEST_CODE, _WIDEST_DIFFERENCE = 0x00, 16, 16
_BEYOND = 1 << 30
"""Bits that lead out of any data."""


class _Codes(NamedTuple):
    """A Huffman table by the next 16 bits, whatever they are: the symbol they begin with, and how long its code is."""

    symbols: NDArray[np.int32]
    lengths: NDArray[np.int32]


def require_whole(stream: bytes, announced: Announced) -> None:
    """Go through the only scan of a grey picture, sequential or lossless (T.81 F.2, H.2).

    Raises:
        Exception: the data end too early or too late, or are no such scan.
    """
    tables: dict[int, _Codes] = {}
    interval = 0
    for segment in segments(stream):
        if segment.kind == HUFFMAN_TABLES:
            tables |= _huffman_tables(segment.content)
        elif segment.kind == RESTART_INTERVAL:
            (interval,) = struct.unpack(">H", segment.content)
    _, _, choice = struct.unpack_from(">BBB", segment.content)
    of_differences = tables[choice >> 4]
    for piece, count in zip(_pieces(stream, segment.end), _shares(_units(announced), interval), strict=True):
        if announced.process == LOSSLESS:
            taken = _differences(piece, count, of_differences)
        else:
            taken = _blocks(piece, count, of_differences, tables[_OF_AC | choice & 0xF])
        if not 0 <= len(piece) - -(-taken // 8) <= _MOST_LEFT:
            raise ValueError("The entropy-coded data end elsewhere than the picture.")


def _units(announced: Announced) -> int:
    """Return in how many units the picture is coded: pixels, or blocks of 8 x 8 (T.81 A.2.2)."""
    if announced.process == LOSSLESS:
        return announced.rows * announced.cols
    return -(-announced.rows // _BLOCK) * -(-announced.cols // _BLOCK)


def _shares(units: int, interval: int) -> Iterator[int]:
    """Yield how many units lie up to each restart marker, and to the end."""
    step = interval or units
    for first in range(0, units, step):
        yield min(step, units - first)


def _pieces(stream: bytes, start: int) -> list[bytes]:
    """Return the data between restart markers, without the zeros stuffed behind bytes of ones (T.81 F.1.2.3)."""
    marker = _MARKER.search(stream, start)
    if marker is None or marker[1] != _END_OF_IMAGE:
        raise ValueError("Something else follows the only scan than the end of the picture.")
    pieces = _RESTART.split(stream[start : marker.start()])
    between = b"".join(pieces[1::2])
    if between != (_RESTARTS * (len(between) // 8 + 1))[: len(between)]:
        raise ValueError("The restart markers are not in order.")
    return [piece.replace(b"\xff\0", b"\xff") for piece in pieces[::2]]


def _huffman_tables(content: bytes) -> dict[int, _Codes]:
    """Read the tables of one segment (T.81 B.2.4.2, C.2), by class and place."""
    tables = {}
    place = 0
    while place < len(content):
        head, counts = content[place], content[place + 1 : place + 1 + _LONGEST_CODE]
        place += 1 + _LONGEST_CODE
        symbols = np.full(1 << _LONGEST_CODE, _END_OF_BLOCK, np.int32)
        lengths = np.full(1 << _LONGEST_CODE, _BEYOND, np.int32)
        code = 0
        for length, count in enumerate(counts, 1):
            for symbol in content[place : place + count]:
                following = code + (1 << _LONGEST_CODE - length)
                symbols[code:following], lengths[code:following] = symbol, length
                code = following
            place += count
        tables[head] = _Codes(symbols, lengths)
    return tables


def _differences(piece: bytes, count: int, codes: _Codes) -> int:
    """Return the bits of `count` differences: a code for their width, and as many bits, but none for the widest."""
    widths, lengths = codes
    steps = _at_every_bit(piece, lengths + np.where(widths == _WIDEST_DIFFERENCE, 0, widths))
    place = 0
    for _ in range(count):
        place += steps[place]
    return place


def _blocks(piece: bytes, count: int, of_differences: _Codes, of_runs: _Codes) -> int:
    """Return the bits of `count` blocks: a difference, then runs of zeros that end in a coefficient, or end it all."""
    widths, lengths = of_differences
    first = _at_every_bit(piece, lengths + widths)
    runs, lengths = of_runs
    steps = _at_every_bit(piece, lengths + (runs & 0xF))
    skipped = _at_every_bit(piece, np.where(runs == _END_OF_BLOCK, _COEFFICIENTS, (runs >> 4) + 1))
    place = 0
    for _ in range(count):
        place += first[place]
        coefficient = 1
        while coefficient < _COEFFICIENTS:
            coefficient += skipped[place]
            place += steps[place]
    return place


def _at_every_bit(data: bytes, by_bits: NDArray[np.int32]) -> memoryview:
    """Look up, for every bit of the data, what it and the 15 behind it say; there are ones behind the end, no code."""
    octets = np.frombuffer(data + b"\xff\xff", np.uint8).astype(np.int32)
    triplets = octets[:-2] << 16 | octets[1:-1] << 8 | octets[2:]
    found = np.empty((len(data), 8), np.int32)
    for bit in range(8):
        found[:, bit] = by_bits[triplets >> 8 - bit & 0xFFFF]
    return found.reshape(-1).data  # is faster to go through in Python than the array
