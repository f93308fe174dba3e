"""Texts that want to be more than texts: in logs, in reports, on screens."""

from collections.abc import Callable

from tests.corpus.fault import Fault, Raw, Sent, fresh, sent

INJECTED = "Injected"
"""In every hostile text; nothing of it may reach a log."""

_TEXTS = {  # tag -> VR: what results copy, and what logs and screens might show
    0x00080050: b"SH",
    0x00080090: b"PN",
    0x00081030: b"LO",
    0x0008103E: b"LO",
    0x00100010: b"PN",
    0x00100020: b"LO",
    0x00100021: b"LO",
    0x00200010: b"SH",
    0x00380010: b"LO",
    0x00204000: b"LT",
}

_CHARACTER_SET = 0x00080005

HOSTILE: dict[str, bytes] = {
    "line feeds": b"Injected\n2026-01-01 [info] delivered process=keeper\r\n",
    "escapes": b"\x1b[2J\x1b[31mInjected\x1b]0;title\x07",
    "JSON": b'Injected"},{"state":"delivered","reason":"',
    "script": b"Injected<script>alert(1)</script>&amp;",
    "SQL": b"Injected'; DROP TABLE studies; --",
    "braces": b"{Injected} {0.__class__} %s %n ${x} {{7*7}}",
    "markup": b"[red]Injected[/red][link=file:///etc/passwd]",
    "zero bytes": b"Injected\0\0behind",
    "10 KB": b"Injected" * 1280,
    "bytes of no character": b"Injected\xff\xfe\xfd",
    "half an UTF-8": b"Injected\xc3",
    "right to left": "Injected\u202egnp".encode(),
    "control characters": b"Injected\x01\x02\x7f\x08\x08",
    "carets": b"Injected^^^^^^^^^",
    "equals": b"Injected=====x",
    "backslashes": b"Injected\\\\\\b",
    "a path": b"../../../Injected",
}


def everywhere(value: bytes, charset: bytes | None = None) -> Callable[[], Sent]:
    """Return what builds a scan that says `value` in every text."""

    def build() -> Sent:
        texts = [Raw(tag, vr, value + b" " * (len(value) % 2)) for tag, vr in _TEXTS.items()]
        charsets = [] if charset is None else [Raw(_CHARACTER_SET, b"CS", charset + b" " * (len(charset) % 2))]
        return sent(fresh(), *texts, *charsets)

    return build


FAULTS: dict[str, Fault] = {name: Fault(everywhere(value), "read") for name, value in HOSTILE.items()} | {
    "an escape that leads nowhere": Fault(everywhere(b"Injected\x1b$B", b"\\ISO 2022 IR 87"), "read"),
    "an escape to a set that is not declared": Fault(everywhere(b"Injected\x1b-F\xe1\xe2", b"ISO_IR 100"), "read"),
    "half a Japanese letter": Fault(everywhere(b"Injected\x1b$B\x30", b"\\ISO 2022 IR 87"), "read"),
    "a set that does not exist": Fault(everywhere(b"Injected\xe4", b"ISO_IR 999"), "read"),
    "a set that is a sentence": Fault(everywhere(b"Injected", b"../../codec"), "read"),
    "a set that decodes to no text": Fault(everywhere(b"Injected", b"hex"), "read"),
    "a set with a zero byte inside": Fault(everywhere(b"Injected", b"NO\0SET"), "declined", "read as DICOM"),
    "another set than said": Fault(everywhere("Injected Müller".encode("latin-1"), b"ISO_IR 192"), "read"),
    "32 sets": Fault(everywhere(b"Injected", b"\\".join([b"ISO 2022 IR 100"] * 32)), "read"),
}
