"""A small C-STORE sender that costs next to nothing, so that it times the receiver and not itself."""

import socket
import struct
import time
from io import BytesIO

from pynetdicom import build_context
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RQ, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification

_CONTEXT = 1
_P_DATA = 4
_MAXIMUM_LENGTH = b"\x51\0\0\4"  # the sub-item that says how long a P-DATA may be (DICOM PS3.8 D.1.1)
_SUCCESS = struct.pack("<HHLH", 0x0000, 0x0900, 2, 0x0000)


class Probe:
    """One association on which objects are stored one after the other."""

    def __init__(self, port: int, *, calling: str, called: str, sop_class: str, syntax: str) -> None:
        self._sop_class = sop_class
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self._socket.sendall(_request(calling, called, sop_class, syntax))
        _, accepted = self._pdu()
        (self._longest,) = struct.unpack_from(">L", accepted.partition(_MAXIMUM_LENGTH)[2])

    def store(self, sop_instance: str, data_set: bytes) -> float:
        """Store one object; return the seconds from its first byte to the answer."""
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = self._sop_class, sop_instance
        request.DataSet = BytesIO(data_set)
        message = C_STORE_RQ()
        message.primitive_to_message(request)
        pdus = b"".join(P_DATA_TF(part).encode() for part in message.encode_msg(_CONTEXT, self._longest))
        began = time.perf_counter()
        self._socket.sendall(pdus)
        kind, answer = self._pdu()
        seconds = time.perf_counter() - began
        assert kind == _P_DATA, kind
        assert _SUCCESS in answer, answer
        return seconds

    def close(self) -> None:
        """Release the association."""
        self._socket.sendall(A_RELEASE_RQ().encode())
        self._pdu()
        self._socket.close()

    def _pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxL", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = self._answers.read(count)
        assert len(data) == count, "the receiver closed the connection"
        return data


def _request(calling: str, called: str, sop_class: str, syntax: str) -> bytes:
    context = build_context(sop_class, syntax)
    context.context_id = _CONTEXT
    longest, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    longest.maximum_length_received = 0
    implementation.implementation_class_uid = "1.2.3.4"
    request = A_ASSOCIATE()
    request.application_context_name = "1.2.840.10008.3.1.1.1"
    request.calling_ae_title, request.called_ae_title = calling, called
    request.presentation_context_definition_list = [context]
    request.user_information = [longest, implementation]
    return A_ASSOCIATE_RQ(request).encode()
