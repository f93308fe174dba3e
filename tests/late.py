"""Our side of an association on a machine so busy that the peer has had its last word before we look."""

import pytest
from pynetdicom.acse import ACSE
from pynetdicom.association import Association

from tests.waiting import wait_for

_OVER = "Sta1"  # PS3.8 table 9-10


def late_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the answer to our request only when the peer has rejected or aborted, and hung up."""
    send_request = ACSE.send_request

    def send_and_tarry(acse: ACSE) -> None:
        send_request(acse)
        wait_for(lambda: acse.dul.peek_next_pdu() and acse.dul.state_machine.current_state == _OVER)

    monkeypatch.setattr(ACSE, "send_request", send_and_tarry)


def late_for_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an acceptance at once, and look at the association only when it is over."""
    start = Association.start

    def start_and_tarry(association: Association) -> None:
        start(association)
        if association.is_requestor:
            wait_for(lambda: not association.is_established)

    monkeypatch.setattr(Association, "start", start_and_tarry)
