"""Data of a message, from the thread that has it straight to the line.

pynetdicom 3.0 takes each fragment through two queues, a state machine and another thread, and a picture has some two
hundred. Nothing in between is needed: while data are sent the state stays the same (PS3.8 table 9-10, DT-1).
"""

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA, _PDUPrimitiveType

_P_DATA_TF = 0x04
_HEADER = struct.Struct(">BxIIB")  # PS3.8 tables 9-22 and 9-23, with one presentation data value
_BEHIND_ITS_LENGTH = 1  # the presentation context's ID, which the length of a value counts
_IN_FRONT_OF_IT = 4
_CLOSED = "Evt17"  # PS3.8 table 9-10: transport connection closed indication


@contextmanager
def written_straight(association: Association) -> Iterator[None]:
    """Write the P-DATA of whoever sends over `association` without a detour, while the block runs.

    A line that breaks, or that takes nothing for `dimse_timeout` seconds, ends the association, as ever.
    """
    dul, transport = association.dul, association.dul.socket
    connection = transport and transport.socket
    if connection is None:  # it is over, which whoever sends is told by pynetdicom
        yield
        return
    with connection.dup() as line:  # ours, though the other thread should close its own and the number be another's
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

        dul.send_pdu = send_pdu  # type: ignore[method-assign]
        try:
            yield
        finally:
            del dul.send_pdu


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
            taken = select.poll()
            taken.register(line, select.POLLOUT)
            if not taken.poll(None if seconds is None else 1000 * seconds):
                raise TimeoutError from None
