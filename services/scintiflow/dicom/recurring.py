"""Parts that recur in many DICOM objects, put together and encoded once.

pydicom writes what it has read as it is, element by element; what was put together it encodes anew each time, level by
level, which takes longer than all else about a report.
"""

import io
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVarTuple

from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_sequence_item
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.valuerep import VR

_KINDS = 64
"""Of one part are kept."""

_ITEM = b"\xfe\xff\x00\xe0"  # (FFFE,E000), PS3.5 7.5

Args = TypeVarTuple("Args")


def recurring(describe: Callable[[*Args], Dataset]) -> Callable[[*Args], Dataset]:
    """Let `describe` describe a part once for the same arguments; nobody may change what it returns.

    What is written differently in each character set is described each time.
    """

    @lru_cache(_KINDS)
    def kept(*told: object) -> Encoded | None:
        part = encoded(describe(*map(_as_code, told)))
        return part if isinstance(part, Encoded) else None

    @wraps(describe)
    def as_read(*args: *Args) -> Dataset:
        return kept(*map(_in_full, args)) or describe(*args)

    return as_read


def _in_full(argument: object) -> object:
    """Return a code as all that it says: codes are equal whatever their meanings, which are a hospital's own words."""
    return tuple(argument) if isinstance(argument, Code) else argument


def _as_code(told: object) -> Any:
    return Code(*told) if isinstance(told, tuple) else told


class Encoded(Dataset):
    """A part as it is read from a file, which remembers how it was written there."""

    written: bytes


def encoded(part: Dataset) -> Dataset:
    """Return a part as it is read from a file in Explicit VR Little Endian.

    Where a text goes beyond ASCII, which is the same in whatever character set an object is written (PS3.5 6.1.2.3), it
    is returned as it is.
    """
    if not all(str(element.value).isascii() for element in part.iterall()):
        return part
    file = io.BytesIO()
    part.save_as(file, implicit_vr=False, little_endian=True)
    file.seek(0)
    read = Encoded(read_dataset(file, is_implicit_VR=False, is_little_endian=True))
    read.set_original_encoding(False, True, default_encoding)
    read.written = file.getvalue()
    return read


def settle(whole: Dataset) -> Dataset:
    """Encode the sequences of an object that is complete, in Explicit VR Little Endian, and return it.

    Else pydicom takes apart what recurs, and looks for ambiguous value representations below each level; none may be
    left. Items that were read in another encoding are written as pydicom writes them. Nothing is changed afterwards,
    and what was put together for this object is part of no other: its sequences are bytes in this character set then.
    """
    names = whole.get("SpecificCharacterSet")
    encodings = convert_encodings(names) if names else [default_encoding]
    _settle(whole, encodings)
    whole.set_original_encoding(False, True, encodings if names else default_encoding)
    return whole


def _settle(holder: Dataset, encodings: list[str]) -> None:
    """Put the bytes of each sequence in its place, from within."""
    for element in list(holder.elements()):
        if isinstance(element.value, Sequence):
            items = b"".join(_item(item, encodings) for item in element.value)
            holder[element.tag] = RawDataElement(element.tag, VR.SQ, len(items), items, 0, False, True)


def _item(item: Dataset, encodings: list[str]) -> bytes:
    if isinstance(item, Encoded):
        return _ITEM + len(item.written).to_bytes(4, "little") + item.written
    if item.original_encoding == (None, None):
        _settle(item, encodings)
        item.set_original_encoding(False, True, default_encoding)
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = False, True
    write_sequence_item(file, item, encodings)
    return file.getvalue()
