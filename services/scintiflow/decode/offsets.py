"""Where frames begin in encapsulated pixel data (PS3.5 A.4)."""

import struct
from itertools import accumulate

from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, parse_basic_offsets

from scintiflow.errors import Refused

_ITEM_HEAD = 8
"""Bytes of tag and length in front of a fragment."""


def require_order(image: Dataset) -> None:
    """Tables that repeat or swap frames would have one view taken for the other; an empty table is legal.

    Raises:
        Refused: the offsets do not ascend from 0 from fragment to fragment, or extended ones are not of one fragment
            each.
    """
    _, *lengths = (len(fragment) for fragment in generate_fragments(image.PixelData))  # the first is the table
    starts = list(accumulate((_ITEM_HEAD + length for length in lengths), initial=0))[:-1]
    if not _ascend(parse_basic_offsets(image.PixelData), starts) or not _fit(image, starts, lengths):
        raise Refused(
            "The table of frame offsets contradicts the pixels, so views may be swapped: send the scan again."
        )


def _ascend(basic: list[int], starts: list[int]) -> bool:
    return basic[:1] in ([], [0]) and basic == sorted(set(basic)) and set(basic) <= set(starts)


def _fit(image: Dataset, starts: list[int], lengths: list[int]) -> bool:
    """Tell whether each extended offset is that of the next fragment, whose length may have been padded to be even."""
    offsets, stated = _numbers(image, "ExtendedOffsetTable"), _numbers(image, "ExtendedOffsetTableLengths")
    padding = [length - said for length, said in zip(lengths, stated, strict=False)]
    return offsets == starts[: len(offsets)] and len(offsets) == len(stated) and set(padding) <= {0, 1}


def _numbers(image: Dataset, keyword: str) -> list[int]:
    """Return the 64-bit numbers of an element, none when it is absent; struct.error if it holds something else."""
    table = image.get(keyword) or b""
    return list(struct.unpack(f"<{len(table) // 8}Q", table))
