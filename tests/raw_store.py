"""C-STORE of bytes that no library would send."""

from io import BytesIO

from pydicom import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode


def request(sop_class: str, sop_instance: str, data: bytes) -> C_STORE:
    """Return a C-STORE of any bytes under any UIDs."""
    store = C_STORE()
    store.MessageID, store.Priority = 1, 2
    store.AffectedSOPClassUID, store.AffectedSOPInstanceUID = sop_class, sop_instance
    store.DataSet = BytesIO(data) if data else None
    return store


def send_bytes(association: Association, sop_class: str, sop_instance: str, data: bytes) -> int:
    """Send a C-STORE of any bytes; return the status."""
    return int(answer_to(association, sop_class, sop_instance, data).Status)


def answer_to(association: Association, sop_class: str, sop_instance: str, data: bytes) -> C_STORE:
    """Send a C-STORE of any bytes; return the answer."""
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request(sop_class, sop_instance, data), association.accepted_contexts[0].context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return answer


def data_set(image: Dataset) -> bytes:
    """Return the bytes of an image as they travel."""
    data = encode(image, is_implicit_vr=False, is_little_endian=True)
    assert data is not None
    return data
