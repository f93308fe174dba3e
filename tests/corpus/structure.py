"""Nesting, lengths, order and encodings: what a walk over the elements must see."""

from collections.abc import Callable

from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.corpus.fault import (
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    PRIVATE_SEQUENCE,
    SEQUENCE_END,
    UNDEFINED,
    Fault,
    Raw,
    Sent,
    encoded,
    fresh,
    sent,
)

_WINDOWS, _RANGES = 0x00540012, 0x00540013
_CREATOR = Raw(0x00550010, b"LO", b"CORPUS")
_COMMENT = 0x00204000


def levels(depth: int, tag: int = _RANGES, vr: bytes = b"SQ", *, open_ended: bool, implicit: bool = False) -> bytes:
    """Return the value of a sequence of `depth` levels, one item each, with delimiters or with lengths."""
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    if open_ended:
        item = Raw(ITEM, b"", length=UNDEFINED).encoded()
        down = item + Raw(tag, vr, length=UNDEFINED).encoded(syntax)
        up = Raw(SEQUENCE_END, b"").encoded() + Raw(ITEM_END, b"").encoded()
        first, last = Raw(ITEM_END, b"").encoded(), Raw(SEQUENCE_END, b"").encoded()
        return down * (depth - 1) + item + first + up * (depth - 1) + last
    value = Raw(ITEM, b"").encoded()
    for _ in range(depth - 1):
        value = Raw(ITEM, b"", Raw(tag, vr, value).encoded(syntax)).encoded()
    return value


def nested(depth: int, *, open_ended: bool, tag: int = _WINDOWS, vr: bytes = b"SQ", implicit: bool = False) -> Sent:
    """Nest sequences in a scan; those inside UN are implicit whatever the syntax (PS3.5 6.2.2, note 2)."""
    image = fresh()
    if implicit:
        image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    value = levels(depth, tag, vr, open_ended=open_ended, implicit=implicit or vr == b"UN")
    creator = [_CREATOR] if tag == PRIVATE_SEQUENCE else []
    return sent(image, Raw(tag, vr, value, UNDEFINED if open_ended else None), *creator)


def with_raw(*pieces: Raw) -> Callable[[], Sent]:
    """Return what builds a scan with these elements."""
    return lambda: sent(fresh(), *pieces)


def with_item(value: bytes, length: int | None = None) -> Callable[[], Sent]:
    """Return what builds a scan whose energy windows have this value."""
    return with_raw(Raw(_WINDOWS, b"SQ", value, length))


def cut(keep: float) -> Sent:
    """A transfer that ended early, and said that it did not."""
    whole = sent(fresh())
    return Sent(whole.data[: int(len(whole.data) * keep)], whole.study, whole.sop_class, whole.sop_instance)


def of_bytes(data: bytes) -> Callable[[], Sent]:
    """Return what sends `data` in place of a scan."""
    return lambda: Sent(data, (image := fresh()).StudyInstanceUID, image.SOPClassUID, image.SOPInstanceUID)


def only_pixels() -> Sent:
    """Pixels of nobody."""
    whole = sent(fresh())
    data = whole.data[whole.data.index(b"\xe0\x7f\x10\x00") :]
    return Sent(data, whole.study, whole.sop_class, whole.sop_instance)


def study_behind_the_pixels() -> Sent:
    """A reader that stops at the pixels would see no study, and one that goes on would."""
    whole = sent(image := fresh())
    uid = Raw(0x0020000D, b"UI", whole.study.encode() + bytes(len(whole.study) % 2)).encoded()
    return Sent(
        whole.data.replace(encoded(image["StudyInstanceUID"]), b"") + uid,
        whole.study,
        whole.sop_class,
        whole.sop_instance,
    )


def another_syntax(of: object, said: object) -> Callable[[], Sent]:
    """Return what sends the bytes of one transfer syntax in the context of another."""

    def build() -> Sent:
        image = fresh()
        image.file_meta.TransferSyntaxUID = of
        return sent(image, said=said)  # type: ignore[arg-type]

    return build


_OPEN_ITEM = Raw(ITEM, b"", length=UNDEFINED).encoded()
_EMPTY_ITEM = Raw(ITEM, b"").encoded()
_END = Raw(SEQUENCE_END, b"").encoded()
_WHOLE_PIXELS = 2 * 256 * 64 * 2


def with_tail(tail: bytes) -> Sent:
    """Return a scan with bytes behind it that are no element."""
    whole = sent(fresh())
    return Sent(whole.data + tail, whole.study, whole.sop_class, whole.sop_instance)


FAULTS: dict[str, Fault] = {
    # nesting: a recursive reader dies of it
    "16 levels": Fault(lambda: nested(16, open_ended=True), "read"),
    "17 levels": Fault(lambda: nested(17, open_ended=True), "unreadable", "deeper than 16"),
    "17 levels with lengths": Fault(lambda: nested(17, open_ended=False), "unreadable", "deeper than 16"),
    "1,000 levels": Fault(lambda: nested(1000, open_ended=True), "unreadable", "deeper than 16"),
    "1,000 levels with lengths": Fault(lambda: nested(1000, open_ended=False), "unreadable", "deeper than 16"),
    "100,000 levels": Fault(lambda: nested(100_000, open_ended=True), "unreadable", "deeper than 16"),
    "levels in a private sequence": Fault(
        lambda: nested(1000, open_ended=True, tag=PRIVATE_SEQUENCE), "unreadable", "deeper than 16"
    ),
    "levels of unknown VR": Fault(
        lambda: nested(1000, open_ended=True, tag=PRIVATE_SEQUENCE, vr=b"UN"), "unreadable", "deeper than 16"
    ),
    "levels of unknown VR with lengths": Fault(  # walked by nobody: not as a sequence, as no private tag is known
        lambda: nested(1000, open_ended=False, tag=PRIVATE_SEQUENCE, vr=b"UN"), "read"
    ),
    "levels of a known sequence as unknown VR": Fault(  # a reader that knows the tag goes down
        lambda: nested(1000, open_ended=False, vr=b"UN"), "unreadable", "deeper than 16"
    ),
    "levels without VR": Fault(lambda: nested(1000, open_ended=True, implicit=True), "unreadable", "deeper than 16"),
    "levels without VR, with lengths": Fault(
        lambda: nested(1000, open_ended=False, implicit=True), "unreadable", "deeper than 16"
    ),
    # lengths: nothing may reach beyond what holds it
    "an element past the end": Fault(
        with_raw(Raw(PIXEL_DATA, b"OW", bytes(_WHOLE_PIXELS), _WHOLE_PIXELS + 2)), "unreadable", "more bytes"
    ),
    "a text past the end": Fault(lambda: sent(fresh(), behind=[Raw(0xFFFCFFFC, b"LO", b"x", 60_000)]), "unreadable"),
    "an item past its sequence": Fault(
        with_item(Raw(ITEM, b"", bytes(8), 4000).encoded()), "unreadable", "An item claims more"
    ),
    "an element past its item": Fault(
        with_item(Raw(ITEM, b"", Raw(_RANGES, b"SQ", b"", 400).encoded()).encoded()), "unreadable", "more bytes"
    ),
    "a sequence past the end": Fault(with_item(_EMPTY_ITEM, 1 << 31), "unreadable", "more bytes"),
    "a sequence that holds a text": Fault(
        with_item(Raw(_COMMENT, b"LT", b"here").encoded()), "unreadable", "something that is no item"
    ),
    "a sequence without an end": Fault(with_item(_OPEN_ITEM, UNDEFINED), "unreadable"),
    "an item without an end": Fault(with_item(_OPEN_ITEM), "unreadable", "does not end"),
    "an end inside an item with a length": Fault(
        with_item(Raw(ITEM, b"", Raw(ITEM_END, b"").encoded()).encoded()), "unreadable", "(FFFE,E00D)"
    ),
    "a sequence ended twice": Fault(with_item(_EMPTY_ITEM + _END + _END, UNDEFINED), "unreadable", "(FFFE,E0DD)"),
    "an item at the top": Fault(lambda: sent(fresh(), ahead=[Raw(ITEM, b"")]), "unreadable", "(FFFE,E000)"),
    "an item of 2 bytes": Fault(with_item(Raw(ITEM, b"", b"\0\0").encoded()), "unreadable"),
    "a text without a length": Fault(
        with_raw(Raw(_COMMENT, b"UT", b"here", UNDEFINED)), "unreadable", "no sequence has no length"
    ),
    "bytes without a length": Fault(
        with_raw(_CREATOR, Raw(0x00551002, b"OB", bytes(8), UNDEFINED)), "unreadable", "no sequence has no length"
    ),
    "a text of odd length": Fault(with_raw(Raw(_COMMENT, b"LT", b"odd")), "read"),  # wrong, and harmless
    "a group length that lies": Fault(with_raw(Raw(0x00080000, b"UL", b"\xff\xff\xff\x7f")), "read"),  # retired
    "padding behind the pixels": Fault(lambda: sent(fresh(), behind=[Raw(0xFFFCFFFC, b"OB", bytes(64))]), "read"),
    "zeros behind the pixels": Fault(lambda: with_tail(bytes(64)), "unreadable"),
    "a byte behind the pixels": Fault(lambda: with_tail(b"\0"), "unreadable", "ends inside an element"),
    "half of it": Fault(lambda: cut(0.5), "unreadable"),
    "a hundredth of it": Fault(lambda: cut(0.01), "unreadable"),
    "too many items": Fault(
        with_raw(_CREATOR, Raw(PRIVATE_SEQUENCE, b"SQ", _EMPTY_ITEM * 300_000)), "unreadable", "more than 250,000"
    ),
    # order: two readers must not see two things
    "a patient twice": Fault(
        lambda: sent(fresh(), ahead=[Raw(0x00080008, b"CS"), Raw(0x00100020, b"LO", b"OTHER ")]), "unreadable", "twice"
    ),
    "a study twice": Fault(lambda: sent(fresh(), behind=[Raw(0x0020000D, b"UI", b"1.2.3\0")]), "unreadable"),
    "pixels twice": Fault(
        lambda: sent(fresh(), behind=[Raw(PIXEL_DATA, b"OW", bytes(_WHOLE_PIXELS))]), "unreadable", "twice"
    ),
    "two kinds of pixels": Fault(with_raw(Raw(0x7FE00008, b"OF", bytes(2 * _WHOLE_PIXELS))), "unreadable", "two kinds"),
    "the study behind the pixels": Fault(study_behind_the_pixels, "unreadable", "behind its pixel data"),
    "elements out of order": Fault(  # wrong, and told apart by everybody
        lambda: sent(fresh(AccessionNumber=None), ahead=[Raw(0x00080050, b"SH", b"A1")]), "read"
    ),
    # elements of another world
    "a command inside": Fault(with_raw(Raw(0x00000100, b"US", b"\1\0")), "unreadable", "(0000,0100)"),
    "file meta information inside": Fault(
        with_raw(Raw(0x00020010, b"UI", b"1.2.840.10008.1.2.4.90")), "unreadable", "(0002,0010)"
    ),
    "a whole file inside": Fault(of_bytes(sent(fresh()).file()), "unreadable"),
    "a VR of small letters": Fault(with_raw(Raw(_COMMENT, b"lt", b"here")), "unreadable", "known value"),
    "a VR of the future": Fault(with_raw(_CREATOR, Raw(0x00551002, b"ZZ", b"new!")), "unreadable", "known value"),
    # encodings
    "implicit said explicit": Fault(another_syntax(ImplicitVRLittleEndian, ExplicitVRLittleEndian), "unreadable"),
    "explicit said implicit": Fault(another_syntax(ExplicitVRLittleEndian, ImplicitVRLittleEndian), "unreadable"),
    "big endian said little": Fault(another_syntax(ExplicitVRBigEndian, ExplicitVRLittleEndian), "unreadable"),
    "little endian said big": Fault(another_syntax(ExplicitVRLittleEndian, ExplicitVRBigEndian), "unreadable"),
    # no scan at all
    "nothing": Fault(of_bytes(b""), "unreadable", "no data set"),
    "one byte": Fault(of_bytes(b"\x08"), "unreadable", "ends inside an element"),
    "only pixels": Fault(only_pixels, "unreadable"),
    "zeros": Fault(of_bytes(bytes(4096)), "unreadable"),
    "a PDF": Fault(of_bytes(b"%PDF-1.7\n" * 99), "unreadable"),
}
