"""Names: UIDs that are paths, that are none, or that are two."""

from collections.abc import Callable

from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from tests.corpus.fault import Fault, Raw, Sent, fresh, sent

_CLASS, _INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E


def in_data_set(tag: int, value: bytes) -> Callable[[], Sent]:
    """Return what builds a scan with this value for a UID, and a command that says nothing of it."""
    return lambda: sent(fresh(), Raw(tag, b"UI", value))


def in_both(value: str) -> Callable[[], Sent]:
    """Return what builds a scan whose data set and command name the instance alike."""
    return lambda: sent(fresh(), Raw(_INSTANCE, b"UI", value.encode()), sop_instance=value)


def in_command(**command: str) -> Callable[[], Sent]:
    """Return what builds a scan under a command that names something else."""
    return lambda: sent(fresh(), **command)


def padded(padding: bytes) -> Callable[[], Sent]:
    """Return what builds a scan whose UIDs are followed by `padding`."""

    def build() -> Sent:
        image = fresh()
        return sent(
            image,
            Raw(_STUDY, b"UI", image.StudyInstanceUID.encode() + padding),
            Raw(_INSTANCE, b"UI", image.SOPInstanceUID.encode() + padding),
        )

    return build


def leading_zeros() -> Sent:
    """PS3.5 9.1 forbids them and old cameras write them."""
    return sent(fresh(StudyInstanceUID=generate_uid()[:30] + ".007"))


def is_malformed(of: str) -> str:
    """Return what the door says of it."""
    return f"{of} UID is missing or malformed"


FAULTS: dict[str, Fault] = {
    f"{form} as {name}": Fault(in_data_set(tag, value), "unreadable", is_malformed(said))
    for name, tag, said in (
        ("study", _STUDY, "Study Instance"),
        ("instance", _INSTANCE, "SOP Instance"),
        ("class", _CLASS, "SOP Class"),
        ("series", _SERIES, "Series Instance"),
    )
    for form, value in {
        "65 characters": b"1." + b"2" * 63 + b"\0",
        "a path upwards": b"../../x\0",
        "a path": b"/etc/passwd\0",
        "two dots": b"1..2",
        "a dot at the end": b"1.2.",
        "letters": b"1.2.abc\0",
        "a sign": b"-1.2",
        "two values": b"1.2\\1.3\0",
        "digits of another script": "1.٢٣\0".encode(),
        "a zero byte inside": b"1.2\x003",
        "a line feed": b"1.2\n",
        "a blank inside": b"1.2 .3",
        "nothing": b"",
        "blanks": b"    ",
    }.items()
} | {
    "another behind 128 blanks": Fault(  # one reader would see the first, another both
        in_data_set(_STUDY, b"1.2.3" + b" " * 130 + b"\\9.9"), "unreadable", "longer than"
    ),
    "zero bytes at the end": Fault(padded(bytes(4)), "read"),
    "blanks at the end": Fault(padded(b"  "), "read"),
    "leading zeros": Fault(leading_zeros, "read"),
    "a path as command's instance": Fault(
        in_both("../../../../tmp/x "), "unreadable", "command's SOP Class or Instance"
    ),
    "another instance in the command": Fault(in_command(sop_instance="1.2.3.4"), "mismatch", "another SOP class"),
    "another class in the command": Fault(
        in_command(sop_class=SecondaryCaptureImageStorage), "mismatch", "another SOP class"
    ),
    "a series of 60 KB": Fault(in_data_set(_SERIES, b"1" * 60_000), "unreadable", "longer than"),
}
