"""Delivery, against a real C-STORE SCP and a real Redis."""

import hashlib
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF
from redis import Redis

from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.errors import Failed, Refused, Unavailable
from scintiflow.records import note, read_record, result_path
from scintiflow.sender.deliver import Sender
from scintiflow.store import Store
from scintiflow.stream import Stream
from tests.deliveries import delivery_of, reported, sender_to
from tests.pacs import Pacs
from tests.ports import free_port
from tests.waiting import wait_for

FOLDER = "0123456789abcdef" * 2


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty DATA."""
    return Store(tmp_path / "data")


@pytest.fixture
def ready(store: Store) -> ResultReady:
    """One report of one study, reported and queued for the PACS."""
    return reported(store, FOLDER)


def test_a_result_arrives_as_the_stored_bytes_and_leaves_a_marker(store: Store, ready: ResultReady) -> None:
    """What lies on disk is what the PACS gets, byte for byte, and its acknowledgement is written down."""
    with Pacs() as pacs:
        sender_to(store, pacs.port).deliver(delivery_of(ready))
    stored = dcmread(result_path(store, FOLDER, ready.results[0].name))
    sent = result_path(store, FOLDER, ready.results[0].name).read_bytes()
    data = sent[sent.index(b"\x08\x00\x16\x00UI") :]
    assert pacs.received == [(stored.SOPInstanceUID, hashlib.sha256(data).hexdigest())]
    assert read_record(store, FOLDER).undelivered(ready) == []


def test_an_acknowledged_result_is_not_sent_again(store: Store, ready: ResultReady) -> None:
    """Work that comes twice, as after a crash behind the marker, is one transmission."""
    with Pacs() as pacs:
        sender = sender_to(store, pacs.port)
        sender.deliver(delivery_of(ready))
        sender.deliver(delivery_of(ready))
    assert len(pacs.received) == 1


def test_an_absent_pacs_is_a_reason_to_wait(store: Store, ready: ResultReady) -> None:
    """A PACS that is switched off is Unavailable, and its results stay pending."""
    with pytest.raises(Unavailable, match="does not accept an association"):
        sender_to(store, free_port()).deliver(delivery_of(ready))
    assert read_record(store, FOLDER).undelivered(ready) == ["r1-metastasis-report"]


def put_off(sender: Sender) -> float:
    """How often deliveries of a sender were put off, as Prometheus sees it."""
    labels = {"destination": sender.destination.name}
    return REGISTRY.get_sample_value("scintiflow_sender_put_off_total", labels) or 0.0


def test_a_delivery_that_is_put_off_is_counted(store: Store, ready: ResultReady) -> None:
    """Every try that a destination does not answer shows under its name."""
    sender = sender_to(store, free_port())
    counted = put_off(sender)
    with pytest.raises(Unavailable):
        sender.deliver(delivery_of(ready))
    assert put_off(sender) == counted + 1


def test_a_pacs_absent_for_too_long_is_given_up(store: Store, ready: ResultReady) -> None:
    """After the configured days a person is asked, with the sentence."""
    with pytest.raises(Refused, match="was away for"):
        sender_to(store, free_port(), give_up_days=0.0).deliver(delivery_of(ready))


def test_a_replay_gives_an_absent_pacs_its_days_again(store: Store, ready: ResultReady) -> None:
    """Patience counts from the replay, or a replay would be parked again at once."""
    ready.ready_at -= 8 * 86_400
    note(store, FOLDER, "replayed", stage="send", destination="pacs")
    with pytest.raises(Unavailable):
        sender_to(store, free_port()).deliver(delivery_of(ready))


def test_a_pacs_out_of_resources_is_a_reason_to_wait(store: Store, ready: ResultReady) -> None:
    """A7xx is back-pressure, not a refusal."""
    with Pacs(answer=lambda uid: 0xA700) as pacs, pytest.raises(Unavailable, match="A700"):
        sender_to(store, pacs.port).deliver(delivery_of(ready))


def test_a_refused_result_counts(store: Store, ready: ResultReady) -> None:
    """A permanent status is counted, and names itself."""
    with Pacs(answer=lambda uid: 0xC000) as pacs, pytest.raises(Failed, match="C000"):
        sender_to(store, pacs.port).deliver(delivery_of(ready))


def test_a_refused_result_holds_no_other_back(store: Store, ready: ResultReady) -> None:
    """A PACS that refuses the first result, perhaps because it knows no reports, gets the second all the same."""
    refused, picture = ready.results[0], Result(name="r1-metastasis-picture", kind="picture", model="metastasis")
    dataset = dcmread(result_path(store, FOLDER, refused.name))
    dataset.SOPInstanceUID = picture.sop_instance_uid = generate_uid(entropy_srcs=["a picture"])
    dataset.file_meta.MediaStorageSOPInstanceUID = picture.sop_instance_uid
    dataset.save_as(result_path(store, FOLDER, picture.name))
    picture.sop_class_uid = dataset.SOPClassUID
    ready.results.append(picture)
    choosy = Pacs(answer=lambda uid: 0xC000 if uid == refused.sop_instance_uid else 0x0000)
    with choosy as pacs, pytest.raises(Failed, match="C000"):
        sender_to(store, pacs.port).deliver(delivery_of(ready))
    assert list(read_record(store, FOLDER).delivered["pacs"]) == [picture.name]


class SlowDisk(Store):
    """A disk on which a marker takes longer than a PACS to hang up."""

    def put_once(self, path: Path, data: bytes) -> bool:
        """Write, once no association of ours stands any more."""
        wait_for(lambda: not [one for one in threading.enumerate() if isinstance(one, Association) and _stands(one)])
        return super().put_once(path, data)


def _stands(association: Association) -> bool:
    return bool(association.is_requestor and association.is_established)


def test_a_pacs_that_hangs_up_between_two_results_is_a_reason_to_wait(store: Store, ready: ResultReady) -> None:
    """A connection that ends after an answer, not in place of one, is no fault of the results."""
    first = result_path(store, FOLDER, ready.results[0].name)
    shutil.copy(first, result_path(store, FOLDER, "r1-cardiac-report"))
    ready.results.append(Result(name="r1-cardiac-report", sop_class_uid=ready.results[0].sop_class_uid))

    def hang_up(event: evt.Event) -> None:
        if isinstance(event.pdu, P_DATA_TF):
            event.assoc.dul.socket.close()

    with Pacs() as pacs, pytest.raises(Unavailable, match="between two results"):
        pacs._server.bind(evt.EVT_PDU_SENT, hang_up)
        sender_to(SlowDisk(store.data), pacs.port).deliver(delivery_of(ready))


@pytest.mark.parametrize(("synthetic", "rule"), [(True, "no"), (False, "only")])
def test_the_rules_of_now_decide_who_gets_synthetic_results(store: Store, synthetic: bool, rule: str) -> None:
    """Results that waited while `synthetic` was changed in scintiflow.toml do not go where they must not."""
    ready = reported(store, FOLDER, synthetic=synthetic)
    with Pacs() as pacs:
        sender = sender_to(store, pacs.port)
        strict = replace(sender, destination=sender.destination.model_copy(update={"synthetic": rule}))
        with pytest.raises(Refused, match="takes no results of"):
            strict.deliver(delivery_of(ready))
        assert pacs.received == []


def test_what_the_probe_sent_may_be_forgotten_while_it_waits(store: Store, ready: ResultReady) -> None:
    """Its results are no longer anybody's, and nothing of the study comes back; another's loss needs a person."""
    shutil.rmtree(store.study(FOLDER))
    sender = sender_to(store, free_port())
    probe = sender.destination.model_copy(update={"probe": True})
    replace(sender, destination=probe).deliver(delivery_of(ready))
    assert list(store.studies()) == []
    with pytest.raises(Refused, match="gone from DATA"):
        sender.deliver(delivery_of(ready))


def test_a_rejected_association_says_what_to_do(store: Store, ready: ResultReady) -> None:
    """A PACS that does not know us is named, with the title to allow there."""
    with Pacs(ae_title="OTHER") as pacs, pytest.raises(Failed, match="allow SCINTIFLOW there"):
        sender_to(store, pacs.port).deliver(delivery_of(ready))


def test_parking_is_written_into_the_record(store: Store, ready: ResultReady, redis: Redis) -> None:
    """A parked destination is on disk, where a wiped Redis cannot lose it."""
    with Pacs() as pacs:
        sender_to(store, pacs.port).park(
            delivery_of(ready), "pacs refuses the report (status C000); look into its log."
        )
    record = read_record(store, FOLDER)
    assert record.destination_state("pacs") == "parked"
    assert record.parked_at("pacs") == "pacs refuses the report (status C000); look into its log."
    assert Stream(redis, "results:pacs").depth().waiting == 0
