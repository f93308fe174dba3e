"""What a fault is, and how to write bytes that no library would."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal, NamedTuple

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from tests.builders import scan

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PRIVATE_SEQUENCE = 0x00551001
PIXEL_DATA = 0x7FE00010

End = Literal["unreadable", "mismatch", "read", "declined", "parked"]
"""The first two at the door, with nothing kept; the others after it, with the object on disk."""

_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV", b"ZZ")


@dataclass(frozen=True)
class Sent:
    """One C-STORE: a data set in `syntax`, and the UIDs of its command."""

    data: bytes
    study: str
    sop_class: str
    sop_instance: str
    syntax: UID = ExplicitVRLittleEndian

    def file(self) -> bytes:
        """Return the DICOM file of it."""
        meta = Dataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = self.sop_class, self.sop_instance
        meta.TransferSyntaxUID = self.syntax
        file = BytesIO()
        file.write(bytes(128) + b"DICM")
        write_file_meta_info(file, meta, enforce_standard=False)
        return file.getvalue() + self.data


class Fault(NamedTuple):
    """How to send it, how that must end, and words of the sentence that says so."""

    send: Callable[[], Sent | list[Sent]]
    ends: End
    says: str = ""


class Raw(NamedTuple):
    """An element as it travels; its length may lie."""

    tag: int
    vr: bytes
    value: bytes = b""
    length: int | None = None

    def encoded(self, syntax: UID = ExplicitVRLittleEndian) -> bytes:
        """Return its bytes."""
        order = "<" if syntax.is_little_endian else ">"
        length = len(self.value) if self.length is None else self.length
        head = struct.pack(f"{order}HH", self.tag >> 16, self.tag & 0xFFFF)
        if syntax.is_implicit_VR or self.tag >> 16 == 0xFFFE:
            return head + struct.pack(f"{order}L", length) + self.value
        if self.vr in _LONG:
            return head + self.vr + bytes(2) + struct.pack(f"{order}L", length) + self.value
        return head + self.vr + struct.pack(f"{order}H", length) + self.value


def fresh(**elements: object) -> Dataset:
    """Return a scan in a study of its own, with some elements changed (None removes one)."""
    image = scan(study_uid=generate_uid())
    for keyword, value in elements.items():
        if value is None:
            image.pop(keyword, None)
        else:
            setattr(image, keyword, value)
    return image


def sent(
    image: Dataset,
    *pieces: Raw,
    ahead: Sequence[Raw] = (),
    behind: Sequence[Raw] = (),
    said: UID | None = None,
    **command: str,
) -> Sent:
    """Return the C-STORE of an image with raw `pieces` in the places of their tags, others ahead and behind.

    `said` is the transfer syntax of the context, where it is not that of the bytes.
    """
    syntax = image.file_meta.TransferSyntaxUID
    if "PixelData" in image and " or " in image["PixelData"].VR:
        image["PixelData"].VR = "OW"
    rest = Dataset()
    rest.update({tag: image[tag] for tag in image.keys() - {piece.tag for piece in pieces}})
    body = {element.tag: encoded(rest[element.tag], syntax) for element in rest}
    body |= {piece.tag: piece.encoded(syntax) for piece in pieces}
    data = b"".join(
        (
            *(raw.encoded(syntax) for raw in ahead),
            *(body[tag] for tag in sorted(body)),
            *(raw.encoded(syntax) for raw in behind),
        )
    )
    usual = {"sop_class": str(image.SOPClassUID), "sop_instance": str(image.SOPInstanceUID)}
    return Sent(data, str(image.StudyInstanceUID), **usual | command, syntax=said or syntax)


def encoded(element: object, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return the bytes of one element as the library writes it."""
    alone = Dataset()
    alone.add(element)
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = syntax.is_little_endian, syntax.is_implicit_VR
    write_dataset(file, alone)
    return file.getvalue()
