"""C-STORE as a user, and the checkpoint that keeps an association's loop from swallowing answers."""

import threading
import time

import pytest
from pydicom.uid import SecondaryCaptureImageStorage
from pynetdicom import AE, evt
from pynetdicom.dul import DULServiceProvider

from scintiflow.dicom.c_store import PROMPTLY, Checkpoint, c_store
from tests.builders import scan
from tests.pacs import SUCCESS, Pacs
from tests.waiting import wait_for


def test_an_object_without_a_context_does_not_keep_the_association_from_ending() -> None:
    """When one object cannot be sent, the next one can, and it is noticed when the peer aborts after that."""
    image, other = scan(), scan()
    other.SOPClassUID = SecondaryCaptureImageStorage
    with Pacs() as pacs:
        entity = AE("MODALITY")
        entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
        association = entity.associate("127.0.0.1", pacs.port, ae_title="PACS", evt_handlers=[*PROMPTLY])
        with pytest.raises(ValueError, match="presentation context"):
            c_store(association, other)
        assert c_store(association, image).Status == SUCCESS
        with pytest.raises(ValueError, match="presentation context"):
            c_store(association, other)
        pacs.abort()
        wait_for(lambda: not association.is_established)


def test_a_peer_that_thinks_about_an_association_is_not_asked_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """While an answer is awaited it is looked for some twenty times a second, not a thousand."""
    looked: list[float] = []
    look = DULServiceProvider._is_transport_event

    def counted(dul: DULServiceProvider) -> bool:
        looked.extend([time.monotonic()] if dul.assoc.is_requestor and not dul.assoc.is_established else [])
        return look(dul)

    monkeypatch.setattr(DULServiceProvider, "_is_transport_event", counted)
    with Pacs() as pacs:
        pacs._server.bind(evt.EVT_REQUESTED, lambda _: time.sleep(0.4))
        entity = AE("MODALITY")
        entity.add_requested_context(SecondaryCaptureImageStorage)
        association = entity.associate("127.0.0.1", pacs.port, ae_title="PACS", evt_handlers=[*PROMPTLY])
        assert association.is_established
        assert 2 < len(looked) < 100 * (looked[-1] - looked[0])
        association.release()


def test_a_held_loop_does_not_pass_until_it_is_let_go() -> None:
    """After each hold the loop rests, however often it is let go and held again."""
    checkpoint, passed, stopped = Checkpoint(), [0], threading.Event()

    def loop() -> None:
        while not stopped.is_set():
            checkpoint.wait()
            passed[0] += 1

    thread = threading.Thread(target=loop)
    thread.start()
    for _ in range(500):
        assert checkpoint.hold(5, thread.is_alive)
        before = passed[0]
        assert checkpoint.hold(5, thread.is_alive)
        assert passed[0] == before
        checkpoint.set()
    stopped.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_loop_that_never_comes_is_not_waited_for_for_ever() -> None:
    """Holding is bounded, whatever keeps the loop."""
    assert not Checkpoint().hold(0.05, lambda: True)


def test_a_loop_that_is_over_is_not_waited_for() -> None:
    """An association that ended between two results costs no half minute."""
    began = time.monotonic()
    assert not Checkpoint().hold(30, lambda: False)
    assert time.monotonic() - began < 5
