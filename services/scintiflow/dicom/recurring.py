"""Parts that recur in many DICOM objects, put together and encoded once.

pydicom writes what it has read as it is, element by element; what was put together it encodes anew each time, level by
level, which takes longer than all else about a report.
"""

import io
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, cast

from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence

_KINDS = 64
"""Of one part are kept."""

P = ParamSpec("P")


def recurring(describe: Callable[P, Dataset]) -> Callable[P, Dataset]:
    """Let `describe` describe a part once for the same arguments; nobody may change what it returns."""

    @wraps(describe)
    def as_read(*args: P.args, **kwargs: P.kwargs) -> Dataset:
        return encoded(describe(*args, **kwargs))

    return cast(Callable[P, Dataset], lru_cache(_KINDS)(as_read))


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
    return read_dataset(file, is_implicit_VR=False, is_little_endian=True)


def settle(whole: Dataset) -> Dataset:
    """Say of an object that it is encoded as it will be written, in Explicit VR Little Endian, and return it.

    Else pydicom takes apart what recurs, and looks for ambiguous value representations below each level; none may be
    left. Items that were read in another encoding keep it.
    """
    _settle_items(whole)
    names = whole.get("SpecificCharacterSet")
    whole.set_original_encoding(False, True, convert_encodings(names) if names else default_encoding)
    return whole


def _settle_items(holder: Dataset) -> None:
    for element in holder.elements():
        for item in element.value if isinstance(element.value, Sequence) else ():
            _settle_items(item)
            if item.original_encoding == (None, None):
                item.set_original_encoding(False, True, default_encoding)
