"""Results that wait for a destination, and what delivers them."""

import hashlib
import time
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from scintiflow.clock import Clock
from scintiflow.config import Destination
from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.errors import Failed, Unavailable
from scintiflow.records import note, result_path
from scintiflow.sender.deliver import Sender
from scintiflow.store import Store
from scintiflow.stream import Delivery

_CLASSES = {"report": ComprehensiveSRStorage, "picture": SecondaryCaptureImageStorage}


def folder_of(number: int) -> str:
    """Return the folder of study `number`."""
    return f"{number:032x}"


def a_result(path: Path, kind: str, size: int) -> Result:
    """Write an object of at least `size` bytes where a result lies, and name it."""
    dataset = Dataset()
    dataset.SOPClassUID = _CLASSES[kind]
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[path.parent.parent.name, kind])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[path.parent.parent.name])
    dataset.PatientName = "Simulated^One"
    dataset.add_new((0x0009, 0x0010), "LO", "TEST")
    dataset.add_new((0x0009, 0x1001), "OB", bytes(size + size % 2))
    dataset.file_meta = Dataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return Result(
        name=path.stem,
        kind=kind,
        model="metastasis",
        sop_class_uid=dataset.SOPClassUID,
        sop_instance_uid=dataset.SOPInstanceUID,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def reported(
    store: Store,
    folder: str,
    *,
    kinds: tuple[str, ...] = ("report",),
    to: tuple[str, ...] = ("pacs",),
    size: int = 64,
    synthetic: bool = False,
    days_ago: float = 0.0,
) -> ResultReady:
    """Leave a study where the router left it so many days ago, results written and reported; return what `to` gets."""
    results = [a_result(result_path(store, folder, f"r1-metastasis-{kind}"), kind, size) for kind in kinds]
    now = time.time() - days_ago * 86_400
    messages = [
        ResultReady(study=folder, revision=1, destination=name, results=results, last_stored_at=now, ready_at=now)
        for name in to
    ]
    study = StudyReady(study=folder, revision=1, synthetic=synthetic)
    note(store, folder, "selected", reason="", objects=[], ready=study, revision=1)
    note(store, folder, "reported", revision=1, deliveries=messages)
    return messages[0]


def delivery_of(ready: ResultReady) -> Delivery:
    """The queued work that carries `ready`."""
    return Delivery("1-0", f"{ready.study}:r1", ready.SerializeToString(), retries=0, failures=0)


def sender_to(store: Store, port: int, *, ae_title: str = "PACS", host: str = "127.0.0.1", **changes: float) -> Sender:
    """A sender for one PACS."""
    destination = Destination(name="pacs", ae_title=ae_title, host=host, port=port)
    patience = {"timeout": 10.0, "slowest_bytes_per_second": 1000.0, "give_up_days": 7.0}
    return Sender(store, destination, "SCINTIFLOW", **(patience | changes), clock=Clock(store))


def attempt(sender: Sender, ready: ResultReady) -> str:
    """Try to deliver once; return "delivered", or the reason to wait or to try again; anything else is a crash."""
    try:
        sender.deliver(delivery_of(ready))
    except (Unavailable, Failed) as error:
        return str(error)
    return "delivered"
