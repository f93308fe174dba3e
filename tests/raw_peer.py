"""A peer that speaks the Upper Layer by hand, and no better than it is told to."""

import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage
from pynetdicom import build_context
from pynetdicom.dimse_messages import C_ECHO_RQ, C_FIND_RQ, C_STORE_RQ, N_EVENT_REPORT_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_FIND, C_STORE, N_EVENT_REPORT
from pynetdicom.pdu import A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.sop_class import Verification

RELEASE_RQ = b"\5\0\0\0\0\4" + bytes(4)
ABORT = b"\7\0\0\0\0\4" + bytes(4)
ACCEPTED, REJECTED, DATA, RELEASED, ABORTED = 2, 3, 4, 6, 7
"""PDU types (DICOM PS3.8 9.3)."""

MESSAGES = {C_STORE: C_STORE_RQ, C_ECHO: C_ECHO_RQ, C_FIND: C_FIND_RQ, N_EVENT_REPORT: N_EVENT_REPORT_RQ}


@dataclass
class RawPeer:
    """One connection; `association` sends the request and reads the answer."""

    port: int
    host: str = "127.0.0.1"
    """Where it comes from."""
    receive_buffer: int = 0
    """Bytes that the kernel may keep for it; 0 for as many as usual."""

    def __enter__(self) -> "RawPeer":
        self.socket = socket.socket()
        self.socket.settimeout(30)
        if self.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.socket.bind((self.host, 0))
        self.socket.connect(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, said: bytes) -> None:
        """Send all of it, unless the other side has closed."""
        try:
            self.socket.sendall(said)
        except ConnectionError:
            return

    def associate(self, request: bytes | None = None) -> int:
        """Ask for an association; return the type of the PDU that answers."""
        self.say(request or association_request())
        return self.hear()[0]

    def hear(self) -> bytes:
        """Return one PDU whole."""
        head = self._exactly(6)
        return head + self._exactly(int.from_bytes(head[2:], "big"))

    def still_open(self, count: int) -> bool:
        """Read `count` bytes at most; tell whether the other side has not closed."""
        try:
            return bool(self.socket.recv(count))
        except ConnectionError:
            return False

    def until_closed(self, seconds: float = 15, drip: bytes = b"") -> bytes:
        """Return all that still comes, while saying `drip` byte by byte; fail when it is not closed in time."""
        heard, deadline, rest = b"", time.monotonic() + seconds, iter(drip)
        while time.monotonic() < deadline:
            if (more := next(rest, None)) is not None:
                self.say(bytes([more]))
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            try:
                chunk = self.socket.recv(1 << 16)
            except ConnectionError:
                return heard
            if not chunk:
                return heard
            heard += chunk
        raise AssertionError(f"still open after {seconds} s")

    def _exactly(self, count: int) -> bytes:
        heard = b""
        while len(heard) < count:
            chunk = self.socket.recv(count - len(heard))
            assert chunk, f"closed after {heard!r}"
            heard += chunk
        return heard


def association_request(
    calling: str = "PACS", called: str = "SCINTIFLOW", *extra: object, longest: int | None = 16382
) -> bytes:
    """Return an A-ASSOCIATE-RQ for scans (context 1) and C-ECHO (context 3), with `extra` user information.

    `longest` is the maximum length of a PDU that this peer takes; with None it does not say.
    """
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    contexts = [build_context(NuclearMedicineImageStorage, ExplicitVRLittleEndian), build_context(Verification)]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = "1.2.3"
    primitive.user_information = [*_maximum_length(longest), implementation, *extra]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def _maximum_length(longest: int | None) -> Iterator[MaximumLengthNotification]:
    if longest is not None:
        item = MaximumLengthNotification()
        item.maximum_length_received = longest
        yield item


def with_titles(calling: bytes, called: bytes = b"SCINTIFLOW") -> bytes:
    """Return an A-ASSOCIATE-RQ under titles that no library would send."""
    request = association_request()
    return request[:10] + called.ljust(16) + calling.ljust(16) + request[42:]


def p_data(*fragments: tuple[int, bytes], context: int = 1) -> bytes:
    """Return one P-DATA-TF of fragments, each behind its control header (bit 0: command, bit 1: last)."""
    items = b"".join(struct.pack(">LBB", len(data) + 2, context, control) + data for control, data in fragments)
    return struct.pack(">BxL", DATA, len(items)) + items


def pdus(primitive: object, context: int = 1, size: int = 16_000) -> Iterator[bytes]:
    """Return a DIMSE request as the P-DATA-TF PDUs that carry it: the command first."""
    message: DIMSEMessage = MESSAGES[type(primitive)]()
    message.primitive_to_message(primitive)
    for part in message.encode_msg(context, size):
        yield bytes(P_DATA_TF(part).encode())
