"""The line of an association while an object is under way: no detour for the data, and no looking for the answer.

pynetdicom 3.0 takes each fragment through two queues, a state machine and another thread, and a picture has some two
hundred; and a thousand times a second it looks whether there is an answer. Nothing of it is needed: while data are sent
the state stays the same (PS3.8 table 9-10, DT-1), and an answer can be waited for.

A peer such as DCMTK, or Orthanc, writes its answer in two pieces, the second when it is told that the first has come.
Whoever has nothing to say puts that off for 40 ms, so that is what each object took; now it is said at once.
"""

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA, _PDUPrimitiveType

_P_DATA_TF = 0x04
_HEADER = struct.Struct(">BxIIB")  # PS3.8 tables 9-22 and 9-23, with one presentation data value
_BEHIND_ITS_LENGTH = 1  # the presentation context's ID, which the length of a value counts
_IN_FRONT_OF_IT = 4
_CLOSED = "Evt17"  # PS3.8 table 9-10: transport connection closed indication
_LISTEN_SECONDS = 0.004  # what we have to say otherwise, as that we release, waits so long at most


@contextmanager
def straight(association: Association) -> Iterator[None]:
    """Write the P-DATA of whoever sends over `association` without a detour, and listen, while the block runs.

    A line that breaks, or that takes nothing for `dimse_timeout` seconds, ends the association, as ever.
    """
    dul, line = association.dul, _line_of_our_own(association)
    if line is None:  # it is over, which whoever sends is told by pynetdicom
        yield
        return
    with line:
        whole = True

        def send_pdu(primitive: _PDUPrimitiveType) -> None:
            nonlocal whole
            if not isinstance(primitive, P_DATA):
                DULServiceProvider.send_pdu(dul, primitive)
                return
            try:
                for pdu in pdus(primitive):
                    if whole:
                        _write(line, pdu, association.dimse_timeout)
            except OSError:
                whole = False
                dul.event_queue.put(_CLOSED)

        def is_transport_event() -> bool:
            with suppress(OSError, ValueError):  # closed by now
                select.select([line], [], [], _LISTEN_SECONDS)
            return bool(DULServiceProvider._is_transport_event(dul))

        dul.send_pdu = send_pdu  # type: ignore[method-assign]
        dul._is_transport_event = is_transport_event  # type: ignore[method-assign]
        try:
            yield
        finally:
            del dul.send_pdu, dul._is_transport_event


def _line_of_our_own(association: Association) -> socket.socket | None:
    """Return what stays ours when the other thread closes the line, whose number may be another's then; or None."""
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        with suppress(OSError):
            own: socket.socket = transport.socket.dup()
            return own
    return None


def pdus(primitive: P_DATA) -> Iterator[bytes]:
    """Encode each value as a P-DATA-TF PDU of its own (PS3.8 section 9.3.5)."""
    for context, value in primitive.presentation_data_value_list:
        length = len(value) + _BEHIND_ITS_LENGTH
        yield _HEADER.pack(_P_DATA_TF, length + _IN_FRONT_OF_IT, length, context) + value


def _write(line: socket.socket, pdu: bytes, seconds: float | None) -> None:
    """Write all of `pdu`; raise TimeoutError when the peer takes nothing for so long."""
    left = memoryview(pdu)
    while left:
        try:
            left = left[line.send(left, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            if not select.select([], [line], [], seconds)[1]:
                raise TimeoutError from None
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # the kernel goes back to delaying by itself
