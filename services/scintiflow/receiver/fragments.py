"""P-DATA as it comes and goes: fragments of commands and of data sets (DICOM PS3.8 9.3.5 and annex E)."""

import struct
from collections.abc import Iterator
from typing import Protocol

LONGEST_PDU = 1 << 20  # ours is 128 KiB at most; an association request with 128 contexts comes to a few hundred

_HEADER = struct.Struct(">BxL")  # of a PDU: type, length of what follows
_FRAGMENT = struct.Struct(">LBB")  # length of what follows, presentation context, message control header
_HEADER_BYTES = 6  # of both
P_DATA_TF = 4
_COMMAND, _LAST = 1, 2  # bits of the message control header


class Malformed(Exception):
    """What the peer sends is no P-DATA, or no message: the association cannot go on."""


class Sink(Protocol):
    """Who takes fragments; a fragment comes in one piece or several, `last` with the last one of its message part."""

    def command(self, context: int, piece: memoryview, *, last: bool) -> None:
        """Take a piece of a command."""

    def data(self, context: int, piece: memoryview, *, last: bool) -> None:
        """Take a piece of a data set."""


class Fragments:
    """Takes a stream of P-DATA-TF PDUs apart, however it is cut into reads; keeps no byte of it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._pdu_left = 0
        self._left = 0
        self._context = 0
        self._control = 0

    @property
    def between_pdus(self) -> bool:
        """Tell whether the next byte begins a PDU."""
        return self._pdu_left == 0 and self._left == 0

    def take(self, stream: memoryview) -> int:
        """Pass on what `stream` holds; return how many bytes that were.

        What is left begins a PDU of another kind, or is a header that is not complete yet.

        Raises:
            Malformed: the lengths contradict each other, or the sink says so.
        """
        at, end = 0, len(stream)
        while True:
            if self._left:
                stop = min(at + self._left, end)
                if stop == at:
                    return at
                self._left -= stop - at
                self._pass_on(stream[at:stop])
                at = stop
            elif end - at < _HEADER_BYTES:
                return at
            elif self._pdu_left:
                self._begin_fragment(*_FRAGMENT.unpack_from(stream, at))
                at += _HEADER_BYTES
            elif stream[at] == P_DATA_TF:
                self._begin_pdu(*_HEADER.unpack_from(stream, at))
                at += _HEADER_BYTES
            else:
                return at

    def _begin_pdu(self, _: int, length: int) -> None:
        if not _HEADER_BYTES <= length <= LONGEST_PDU:
            raise Malformed("a P-DATA-TF of impossible length")
        self._pdu_left = length

    def _begin_fragment(self, length: int, context: int, control: int) -> None:
        rest = self._pdu_left - 4 - length
        if length < 2 or rest < 0 or 0 < rest < _HEADER_BYTES:
            raise Malformed("a fragment of impossible length")
        if length == 2 and not control & _LAST:
            raise Malformed("a fragment that brings nothing: no peer stays by sending such")
        self._pdu_left, self._left = rest, length - 2
        self._context, self._control = context, control
        if self._left == 0:
            self._pass_on(memoryview(b""))

    def _pass_on(self, piece: memoryview) -> None:
        last = self._left == 0 and bool(self._control & _LAST)
        take = self._sink.command if self._control & _COMMAND else self._sink.data
        take(self._context, piece, last=last)


def command_pdus(context: int, command: bytes, longest: int) -> Iterator[bytes]:
    """Yield the P-DATA-TF PDUs that carry a command to a peer that takes PDUs of `longest` bytes (0: of any length)."""
    room = longest - _HEADER_BYTES if longest > _HEADER_BYTES else len(command)
    for at in range(0, len(command), room):
        piece = command[at : at + room]
        control = _COMMAND | (_LAST if at + room >= len(command) else 0)
        yield (
            _HEADER.pack(P_DATA_TF, len(piece) + _HEADER_BYTES)
            + _FRAGMENT.pack(len(piece) + 2, context, control)
            + piece
        )
