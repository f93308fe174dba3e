"""The two commands of a C-STORE, read and written without a library (DICOM PS3.7 9.3.1, tables E.1-1 and 6.3-1)."""

import struct
from dataclasses import dataclass

from scintiflow.receiver.fragments import Malformed

_ELEMENT = struct.Struct("<HHL")  # Implicit VR Little Endian: group, element, length
_GROUP_LENGTH, _SOP_CLASS, _COMMAND_FIELD, _MESSAGE, _RESPONDED = 0x0000, 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET_TYPE, _STATUS, _ERROR_COMMENT, _SOP_INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
_C_STORE_RQ, _C_STORE_RSP = 0x0001, 0x8001
_NO_DATA_SET = 0x0101
_LONGEST_COMMENT = 64  # an LO


@dataclass(frozen=True)
class StoreRequest:
    """A C-STORE-RQ; the UIDs are as the peer wrote them, legal or not."""

    message: int
    sop_class: str
    sop_instance: str
    has_data_set: bool


def store_request(command: bytes) -> StoreRequest | None:
    """Read a command; None if it is no C-STORE-RQ.

    Raises:
        Malformed: it is no command at all, or a C-STORE-RQ that could not even be answered.
    """
    elements = _elements(command)
    if _number(elements, _COMMAND_FIELD) != _C_STORE_RQ:
        return None
    return StoreRequest(
        _number(elements, _MESSAGE),
        _uid(elements, _SOP_CLASS),
        _uid(elements, _SOP_INSTANCE),
        _number(elements, _DATA_SET_TYPE) != _NO_DATA_SET,
    )


def store_response(request: StoreRequest, status: int, comment: str = "") -> bytes:
    """Write the C-STORE-RSP to a request; `comment` says why it was refused."""
    comment_bytes = comment[:_LONGEST_COMMENT].encode("ascii", "replace")
    rest = b"".join(
        (
            _element(_SOP_CLASS, request.sop_class.encode("ascii", "replace"), b"\0"),
            _element(_COMMAND_FIELD, _C_STORE_RSP.to_bytes(2, "little")),
            _element(_RESPONDED, request.message.to_bytes(2, "little")),
            _element(_DATA_SET_TYPE, _NO_DATA_SET.to_bytes(2, "little")),
            _element(_STATUS, status.to_bytes(2, "little")),
            _element(_ERROR_COMMENT, comment_bytes, b" ") if comment else b"",
            _element(_SOP_INSTANCE, request.sop_instance.encode("ascii", "replace"), b"\0"),
        )
    )
    return _element(_GROUP_LENGTH, len(rest).to_bytes(4, "little")) + rest


def _elements(command: bytes) -> dict[int, bytes]:
    """Return the values of a command's elements by element number."""
    found, at = {}, 0
    while at < len(command):
        if len(command) - at < _ELEMENT.size:
            raise Malformed("a command that is cut short")
        group, number, length = _ELEMENT.unpack_from(command, at)
        at += _ELEMENT.size
        if group != 0 or at + length > len(command):
            raise Malformed("a command that holds something else")
        found[number] = command[at : at + length]
        at += length
    return found


def _number(elements: dict[int, bytes], number: int) -> int:
    value = elements.get(number, b"")
    if len(value) != 2:
        raise Malformed("a command without its numbers")
    return int.from_bytes(value, "little")


def _uid(elements: dict[int, bytes], number: int) -> str:
    return elements.get(number, b"").decode("ascii", "replace").rstrip("\0 ")


def _element(number: int, value: bytes, padding: bytes = b"") -> bytes:
    value += padding * (len(value) % 2)
    return _ELEMENT.pack(0, number, len(value)) + value
