"""The commands of a C-STORE as we read and write them, against the library's."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import NuclearMedicineImageStorage
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import encode

from scintiflow.receiver.c_store import StoreRequest, store_request, store_response
from scintiflow.receiver.fragments import Malformed
from scintiflow.receiver.status import STATUS

UIDS = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)


def library_request(message: int, sop_instance: str, data: bytes | None) -> bytes:
    """Return a C-STORE-RQ as pynetdicom writes it."""
    store, written = C_STORE(), C_STORE_RQ()
    store.MessageID, store.Priority = message, 2
    store.AffectedSOPClassUID, store.AffectedSOPInstanceUID = NuclearMedicineImageStorage, sop_instance
    store.DataSet = BytesIO(data) if data else None
    written.primitive_to_message(store)
    command = encode(written.command_set, True, True)
    assert command is not None
    return command


@given(message=st.integers(0, 65535), sop_instance=UIDS, data=st.sampled_from([None, b"data"]))
def test_a_request_is_read_as_the_library_wrote_it(message: int, sop_instance: str, data: bytes | None) -> None:
    """Message ID, UIDs and whether a data set follows."""
    read = store_request(library_request(message, sop_instance, data))
    assert read == StoreRequest(message, NuclearMedicineImageStorage, sop_instance, data is not None)


@given(message=st.integers(0, 65535), sop_instance=UIDS, status=st.sampled_from(sorted(STATUS.values())))
@pytest.mark.parametrize("comment", ["", "odd", "even", "x" * 70])
def test_a_response_is_what_the_library_would_write(comment: str, message: int, sop_instance: str, status: int) -> None:
    """Byte for byte, comments cut at 64 characters."""
    answer, written = C_STORE(), C_STORE_RSP()
    answer.MessageIDBeingRespondedTo, answer.Status = message, status
    answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID = NuclearMedicineImageStorage, sop_instance
    if comment:
        answer.ErrorComment = comment[:64]
    written.primitive_to_message(answer)
    request = StoreRequest(message, NuclearMedicineImageStorage, sop_instance, has_data_set=True)
    assert store_response(request, status, comment) == encode(written.command_set, True, True)


def test_other_commands_are_not_ours() -> None:
    """A C-ECHO is no C-STORE."""
    echo, written = C_ECHO(), C_ECHO_RQ()
    echo.MessageID = 1
    written.primitive_to_message(echo)
    command = encode(written.command_set, True, True)
    assert command is not None
    assert store_request(command) is None


@given(command=st.binary(max_size=60))
def test_no_bytes_are_too_strange(command: bytes) -> None:
    """Whatever comes is a request, another command, or malformed."""
    try:
        assert not isinstance(store_request(command), StoreRequest)
    except Malformed:
        pass


def test_a_request_that_cannot_be_answered_is_malformed() -> None:
    """Without a Message ID there is no answer."""
    command = library_request(1, "1.2.3", b"data")
    without = command.replace(b"\0\0\x10\1\2\0\0\0\1\0", b"")
    assert len(without) == len(command) - 10
    with pytest.raises(Malformed):
        store_request(without)
