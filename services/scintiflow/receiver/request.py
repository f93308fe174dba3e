"""An association request in bytes, read before anything is spent on it (DICOM PS3.8 9.3.2)."""

from collections.abc import Iterator
from itertools import islice

from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_items import ApplicationContextItem, MaximumLengthSubItem, UserInformationItem

_ITEMS_AT = 74
_PRESENTATION_CONTEXT = 0x20
_ITEM_HEADER = 4
_BEFORE_SYNTAXES = 4  # a presentation context's number and three bytes that mean nothing
_OVERHEAD = 6  # bytes of a P-DATA-TF in front of a fragment's content
_MOST_ITEMS = 8192  # 128 presentation contexts of 31 transfer syntaxes, each with three negotiations, come to 4,500


def understood(request: bytearray) -> A_ASSOCIATE_RQ | None:
    """Return an association request decoded, or None if it is none, or the library would lose its way or much time."""
    if _is_crowded(request):
        return None
    pdu = A_ASSOCIATE_RQ()
    try:
        pdu.decode(bytes(request))
        if not _is_whole(pdu):
            return None
        _let_answer(pdu)
        pdu.to_primitive()
    except Exception:  # whatever a stranger's bytes may raise in there
        return None
    return pdu


def _is_whole(pdu: A_ASSOCIATE_RQ) -> bool:
    """Tell whether it has one application context, and presentation contexts of which each has its own number."""
    names = [item for item in pdu.variable_items if isinstance(item, ApplicationContextItem)]
    numbers = [item.presentation_context_id for item in pdu.presentation_context]
    return len(names) == 1 and len(numbers) > 0 and len(numbers) == len(set(numbers))


def _let_answer(pdu: A_ASSOCIATE_RQ) -> None:
    """Let a peer that does not say how long a PDU it takes, or less than any is, take any: it could not be answered."""
    information = pdu.user_information
    if information is None:
        information = UserInformationItem()
        pdu.variable_items.append(information)
    lengths = [item for item in information.user_data if isinstance(item, MaximumLengthSubItem)]
    if not lengths:
        lengths = [MaximumLengthSubItem()]
        information.user_data += lengths
    for length in lengths:
        if (length.maximum_length_received or 0) <= _OVERHEAD:
            length.maximum_length_received = 0


def _is_crowded(request: bytearray) -> bool:
    """Tell whether it holds more items than anybody has reason for: the library copies what follows each of them."""
    return next(islice(_all_items(request), _MOST_ITEMS, None), None) is not None


def _all_items(request: bytearray) -> Iterator[int]:
    for kind, begin, end in _items(request, _ITEMS_AT, len(request)):
        yield kind
        begin += _BEFORE_SYNTAXES * (kind == _PRESENTATION_CONTEXT)
        yield from (inner for inner, _, _ in _items(request, begin, end))


def _items(request: bytearray, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the kind of each item between two places, and where its content begins and ends."""
    while end - at >= _ITEM_HEADER:
        begin = at + _ITEM_HEADER
        stop = begin + int.from_bytes(request[at + 2 : begin], "big")
        yield request[at], begin, min(stop, end)
        at = stop
