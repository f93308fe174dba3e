"""The data transfer of one association: each C-STORE from its first byte to its answer, in the thread that reads.

The library takes every P-DATA through an event queue, a state machine and copies, and keeps what it holds in memory.
Here a data set goes from the socket's buffer to its file, and a C-ECHO goes to the library.
"""

import threading

from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_ECHO_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from scintiflow.receiver.association import Visit
from scintiflow.receiver.c_store import StoreRequest, store_request, store_response
from scintiflow.receiver.fragments import Fragments, Malformed, command_pdus
from scintiflow.receiver.part import Part

_ESTABLISHING_SECONDS = 30.0
_LONGEST_COMMAND = 1 << 14  # bytes; a C-STORE command comes to some 300
_MOST_UNSERVED = 64  # commands; nobody was allowed to send a second one before the first is answered
_WHOLE_COMMAND = 0b11  # message control header (DICOM PS3.8 E.2)


class Transfer:
    """What is known of the message that is coming."""

    def __init__(self, association: Association, visit: Visit) -> None:
        self.established = threading.Event()
        self.fragments = Fragments(self)
        self._association = association
        self._visit = visit
        self._command = bytearray()
        self._request: StoreRequest | None = None
        self._part: Part | None = None
        self._context = 0

    @property
    def at_rest(self) -> bool:
        """Tell whether no message is on its way."""
        return self._request is None and not self._command and self.fragments.between_pdus

    def command(self, context: int, piece: memoryview, *, last: bool) -> None:
        """Take a piece of a command; a complete one begins a message."""
        if self._request or len(self._command) + len(piece) > _LONGEST_COMMAND:
            raise Malformed("a command within a data set, or one without end")
        self._command += piece
        if not last:
            return
        command, self._command = bytes(self._command), bytearray()
        request = store_request(command)
        if request is None:
            self._pass_on(context, command)
        elif request.has_data_set:
            self._begin(request, context)
        else:
            self._answer(request, None, context)

    def data(self, context: int, piece: memoryview, *, last: bool) -> None:
        """Take a piece of a data set; a complete one is stored and answered."""
        if self._request is None or self._part is None or context != self._context:
            raise Malformed("a data set without a C-STORE, or in another context")
        self._part.write(piece)
        if last:
            request, part = self._request, self._part
            self._request = self._part = None
            self._answer(request, part, self._context)

    def _begin(self, request: StoreRequest, context: int) -> None:
        accepted = self._association._accepted_cx.get(context)
        agreed = accepted is not None and accepted.abstract_syntax == request.sop_class
        self._request, self._context = request, context
        self._part = self._visit.receive(request, accepted.transfer_syntax[0] if agreed else None)

    def _answer(self, request: StoreRequest, part: Part | None, context: int) -> None:
        # A quick peer's first object is here before the other thread has come back from accepting the association,
        # and nothing is answered until it has.
        self.established.wait(_ESTABLISHING_SECONDS)
        if context not in self._association._accepted_cx:
            raise Malformed("a message on a context that was not accepted")
        response = store_response(request, *self._visit.store(request, part))
        if self._association.is_established:
            for pdu in command_pdus(context, response, self._association.requestor.maximum_length):
                self._association.dul.socket.send(pdu)

    def _pass_on(self, context: int, command: bytes) -> None:
        """Leave a C-ECHO to the library, in whose queue nothing else may get."""
        message, primitive = DIMSEMessage(), P_DATA()
        primitive.presentation_data_value_list = [[context, bytes((_WHOLE_COMMAND,)) + command]]
        try:
            message.decode_msg(primitive)
            request = message.message_to_primitive()
        except Exception as error:  # whatever a peer's bytes may raise in there
            raise Malformed("a command that the library cannot read") from error
        waiting = self._association.dimse.msg_queue
        if not isinstance(message, C_ECHO_RQ) or waiting.qsize() >= _MOST_UNSERVED:
            raise Malformed("a service that we do not offer, or too much of it")
        waiting.put((context, request))
