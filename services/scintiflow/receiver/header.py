"""Is this a sound data set? The structure is walked to its last byte; no value but a few is read, nothing decoded.

Plain DICOM readers accept much that breaks whoever reads next: lengths beyond the end, sequences without end or
bottom, pixel data shorter than they say. Such an object is refused at the door, where its sender still listens.
"""

import mmap
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.uid import UID

from scintiflow.errors import Refused

_DEEPEST = 16
_MOST_ELEMENTS = 250_000  # pydicom takes five seconds and 160 MB for so many; the keeper must not take longer
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)  # DICOM PS3.5 tables 7.1-1 and 7.1-2

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_NAMES = {_SOP_CLASS: "SOP Class", _SOP_INSTANCE: "SOP Instance", _STUDY: "Study Instance", _SERIES: "Series Instance"}
_SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS, _BITS, _STORED = (
    0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101,
)  # fmt: skip
_WANTED = frozenset(
    {_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES, _SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS, _BITS, _STORED}
)
_LONGEST_WANTED = 128
_PIXELS = {0x7FE00008: 32, 0x7FE00009: 64, 0x7FE00010: None}
"""Float, Double Float and plain Pixel Data; the number is their fixed Bits Allocated."""

_NOTED = _WANTED | _PIXELS.keys()
_A_VR = range(0x41, 0x5B)  # what a byte of it is
_SHORT = {order: struct.Struct(f"{order}HH2sH") for order in "<>"}  # group, element, VR, length
_LENGTH = {order: struct.Struct(f"{order}L") for order in "<>"}

_Bytes = bytes | bytearray | mmap.mmap

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True)
class Header:
    """What the receiver needs to know of an object."""

    sop_class: str
    sop_instance: str
    study: str


def is_uid(text: str) -> bool:
    """Tell whether `text` has the form of a UID: digits and single dots, at most 64 characters (PS3.5 9.1)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def read_header(path: Path, start: int, syntax: UID, head: bytes | bytearray) -> Header:
    """Walk the data set that begins at byte `start` of a file and is encoded in transfer syntax `syntax`.

    `head` is as much of the file as is in memory, from its first byte; most often the rest need not be looked at.

    Raises:
        Refused: the data set is broken; the sentence says how.
    """
    end = path.stat().st_size
    try:
        return _header(head, start, end, syntax)
    except struct.error:
        pass
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _header(data, start, end, syntax)
        except struct.error:
            raise Refused("The data set ends inside an element.") from None


def _header(data: _Bytes, start: int, end: int, syntax: UID) -> Header:
    """Walk what there is of a file of `end` bytes; a `struct.error` says that more of it would be needed."""
    walk = _Walk(data, "<" if syntax.is_little_endian else ">")
    if syntax.is_implicit_VR:
        walk.require_one_reading(start)
    walk.data_set(start, end, syntax.is_implicit_VR)
    walk.check_pixels(compressed=syntax.is_encapsulated)
    walk.uid(_SERIES)  # nothing reads it here, but results point at it
    return Header(walk.uid(_SOP_CLASS), walk.uid(_SOP_INSTANCE), walk.uid(_STUDY))


@dataclass
class _Walk:
    """One pass over a data set."""

    data: _Bytes
    order: str
    values: dict[int, bytes] = field(default_factory=dict)
    pixels: int | None = None
    """Tag of the pixel data."""
    pixel_bytes: int = 0
    fragments: int | None = None
    """Pieces of compressed pixel data."""
    elements: int = 0

    def __post_init__(self) -> None:
        """Choose what reads the head of an element: it is called for each."""
        self._short = _SHORT[self.order].unpack_from

    def data_set(self, at: int, end: int, implicit: bool, depth: int = 0, *, delimited: bool = False) -> int:
        """Walk elements up to `end`, or to the delimiter of an item without a length; return where they end."""
        if depth > _DEEPEST:
            raise Refused(f"Its sequences are nested deeper than {_DEEPEST} levels.")
        seen = set()
        while at < end:
            tag, vr, length, at = self._element(at, implicit)
            if tag == _ITEM_END and delimited:
                return at
            if tag >> 16 < 8 or tag >> 16 == 0xFFFE:
                raise Refused(f"It has the element {_shown(tag)} where none may be.")
            if tag in seen:  # one reader would believe the first, another the second
                raise Refused(f"It has the element {_shown(tag)} twice.")
            seen.add(tag)
            stop = at + length
            if stop > end or vr not in _SHORT_VRS:
                stop = self._value(tag, vr, at, length, end, implicit, depth)
            if depth == 0 and (tag in _NOTED or self.pixels is not None):
                self._note(tag, vr, at, stop, length)
            at = stop
        if delimited:
            raise Refused("An item of a sequence does not end.")
        return at

    def require_one_reading(self, at: int) -> None:
        """Refuse a first length that spells a VR: readers that guess would read explicit VR, and another object."""
        _, _, letters, _ = self._short(self.data, at)
        if all(letter in _A_VR for letter in letters):
            raise Refused("It begins as one in Explicit VR, but its transfer syntax is Implicit VR.")

    def uid(self, tag: int) -> str:
        """Return the UID in a top-level element that must be there."""
        text = self._text(tag)
        if not is_uid(text):
            raise Refused(f"Its {_NAMES[tag]} UID is missing or malformed.")
        return text

    def check_pixels(self, *, compressed: bool) -> None:
        """Refuse pixel data that cannot be what Rows, Columns and the like say (PS3.3 C.7.6.3)."""
        if self.pixels is None:
            return
        bits = _PIXELS[self.pixels] or self._number(_BITS)
        plane = self._number(_ROWS) * self._number(_COLUMNS)
        frames, samples = self._frames(), self._number(_SAMPLES, absent=1)
        if plane == 0 or frames < 1:
            raise Refused("Its Rows, Columns or Number of Frames are impossible.")
        if bits not in (1, 8, 16, 32, 64) or not 1 <= self._number(_STORED, absent=bits) <= bits:
            raise Refused("Its Bits Allocated or Bits Stored are impossible.")
        if samples not in (1, 3, 4):
            raise Refused("Its Samples per Pixel are impossible.")
        if (
            self.fragments is None
            and self.pixel_bytes < (plane * frames * self._stored_samples(samples) * bits + 7) // 8
        ):
            raise Refused("Its pixel data are shorter than its Rows, Columns and Number of Frames say.")
        if self.fragments is not None and self.fragments < frames:
            raise Refused("It claims more frames than it has compressed fragments.")
        if compressed != (self.fragments is not None):
            raise Refused("Its pixel data are not encoded as its transfer syntax says.")

    def _element(self, at: int, implicit: bool) -> tuple[int, bytes, int, int]:
        """Return tag, VR (empty if implicit), length and where the value begins."""
        self.elements += 1
        if self.elements > _MOST_ELEMENTS:
            raise Refused(f"It has more than {_MOST_ELEMENTS:,} elements.")
        group, number, vr, length = self._short(self.data, at)
        tag = group << 16 | number
        if implicit or group == 0xFFFE:
            (length,) = _LENGTH[self.order].unpack_from(self.data, at + 4)
            return tag, b"", length, at + 8
        if vr in _SHORT_VRS:
            return tag, vr, length, at + 8
        if vr not in _LONG_VRS:  # nobody knows how long the length of any other is
            raise Refused("It has an element without a known value representation; is it in another transfer syntax?")
        (length,) = _LENGTH[self.order].unpack_from(self.data, at + 8)
        return tag, vr, length, at + 12

    def _value(self, tag: int, vr: bytes, at: int, length: int, end: int, implicit: bool, depth: int) -> int:
        """Return where a value ends, having walked it if it is a sequence."""
        if length == _UNDEFINED:
            if tag in _PIXELS and not implicit:
                count, stop = self._fragments(at, end)
                self.fragments = count if depth == 0 else self.fragments  # an icon has its own pixel data
                return stop
            if vr not in (b"", b"SQ", b"UN") or tag in _PIXELS:
                raise Refused("An element that is no sequence has no length.")
            return self._items(at, end, implicit or vr == b"UN", depth, delimited=True)
        if at + length > end:
            raise Refused("An element claims more bytes than there are.")
        if vr == b"SQ" or (vr in (b"", b"UN") and _is_sequence(tag)):
            self._items(at, at + length, implicit or vr == b"UN", depth, delimited=False)  # PS3.5 6.2.2, note 2
        return at + length

    def _items(self, at: int, end: int, implicit: bool, depth: int, *, delimited: bool) -> int:
        """Walk the items of a sequence (PS3.5 7.5); return where it ends."""
        while at < end:
            tag, _, length, at = self._element(at, implicit)
            if tag == _SEQUENCE_END and delimited:
                return at
            if tag != _ITEM:
                raise Refused("A sequence holds something that is no item.")
            stop = end if length == _UNDEFINED else at + length
            if stop > end:
                raise Refused("An item claims more bytes than its sequence has.")
            at = self.data_set(at, stop, implicit, depth + 1, delimited=length == _UNDEFINED)
        if delimited:
            raise Refused("A sequence does not end.")
        return at

    def _fragments(self, at: int, end: int) -> tuple[int, int]:
        """Walk compressed pixel data (PS3.5 A.4): an offset table, then fragments; return their number and end."""
        items = 0
        while at < end:
            tag, _, length, at = self._element(at, implicit=True)
            if tag == _SEQUENCE_END:
                return max(0, items - 1), at
            if tag != _ITEM or at + length > end:
                break
            at += length
            items += 1
        raise Refused("Its compressed pixel data are cut short.")

    def _note(self, tag: int, vr: bytes, at: int, stop: int, length: int) -> None:
        if self.pixels is not None and tag < self.pixels:
            raise Refused("It has elements behind its pixel data that belong in front of them.")
        if tag in _NAMES and vr not in (b"", b"UI"):
            raise Refused(f"Its {_NAMES[tag]} UID is encoded as something else.")
        if tag in _WANTED:
            if stop - at > _LONGEST_WANTED:
                raise Refused(f"Its element {_shown(tag)} is longer than any such value.")
            if stop > len(self.data):
                raise struct.error
            self.values[tag] = bytes(self.data[at:stop])
        elif tag in _PIXELS:
            if self.pixels is not None:
                raise Refused("It has pixel data of two kinds.")
            self.pixels, self.pixel_bytes = tag, length

    def _text(self, tag: int) -> str:
        return self.values.get(tag, b"").decode("ascii", "replace").rstrip("\0 ")

    def _number(self, tag: int, absent: int = 0) -> int:
        """Return an unsigned 16-bit number; 0, which none of ours may be, if it is something else."""
        value = self.values.get(tag)
        if value is None:
            return absent
        return int.from_bytes(value, "little" if self.order == "<" else "big") if len(value) == 2 else 0

    def _frames(self) -> int:
        text = self._text(_FRAMES).lstrip() or "1"
        return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0

    def _stored_samples(self, samples: int) -> int:
        """Return samples stored for each pixel; two of YBR_FULL_422's three are shared by neighbours."""
        return 2 if self._text(_PHOTOMETRIC) == "YBR_FULL_422" else samples


def _shown(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _is_sequence(tag: int) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
