"""Every fault of the corpus, through the real door and on to its end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import NuclearMedicineImageStorage
from pynetdicom import AE, AllStoragePresentationContexts
from pynetdicom.association import Association

from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.decode import Decoded, decode
from scintiflow.dicom.identity import study_folder
from scintiflow.errors import Declined, Refused
from scintiflow.keeper.gather import gather
from scintiflow.receiver.status import STATUS
from scintiflow.results import ENCODERS, Reading, Scan
from scintiflow.store import Store
from tests.corpus import CORPUS
from tests.corpus.fault import Sent, fresh, sent
from tests.corpus.words import INJECTED
from tests.dciodvfy import errors
from tests.raw_store import answer_to
from tests.receiver import Receiver, running_receiver
from tests.unit.results.readings import ENCODED_AT, finding

AT_THE_DOOR = ("unreadable", "mismatch")
ODD = [
    *(name for name, fault in CORPUS.items() if name.startswith("words") and fault.ends == "read"),
    "UID: leading zeros",
    "scan: a day that never was",
    "scan: a time zone that is none",
    "scan: born three times",
    "scan: a text as a sequence",
]
"""What says odd things that results might repeat, and is read."""
FILED_BY = {
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "AccessionNumber",
}
"""What results repeat as it is, also where DICOM forbids it."""
NO_TEXT = "ignore::UserWarning:pydicom.charset"
"""What pydicom says of text that nobody can decode is passed over: some faults are made of it."""


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The door that every fault goes through."""
    with running_receiver(tmp_path_factory.mktemp("corpus")) as receiver:
        yield receiver


def associate(receiver: Receiver, object_sent: Sent) -> Association:
    """Ask for an association for one object; for a scan where its class is none."""
    entity = AE("PACS")
    is_class = any(object_sent.sop_class == context.abstract_syntax for context in AllStoragePresentationContexts)
    entity.add_requested_context(object_sent.sop_class if is_class else NuclearMedicineImageStorage, object_sent.syntax)
    return entity.associate("127.0.0.1", receiver.port, ae_title="SCINTIFLOW")


def pushed(receiver: Receiver, object_sent: Sent) -> tuple[int, str]:
    """C-STORE it; return the status, and what the answer says besides."""
    association = associate(receiver, object_sent)
    assert association.is_established
    try:
        answer = answer_to(association, object_sent.sop_class, object_sent.sop_instance, object_sent.data)
        return int(answer.Status), answer.ErrorComment or ""
    finally:
        association.release()


@dataclass(frozen=True)
class Ending:
    """How a stored study ends, in which sentence, and what was selected and decoded of it."""

    state: str
    sentence: str = ""
    ready: StudyReady | None = None
    decoded: Decoded | None = None


def ending(store: Store, folder: str) -> Ending:
    """Decide about a stored study and decode it, as keeper and router do."""
    decision = gather(store, folder, time.time(), "PACS")
    assert decision is not None
    if decision.ready is None:
        return Ending(decision.event, decision.reason)
    try:
        decoded = decode(decision.ready.views, store.study(folder) / "objects")
    except Declined as declined:
        return Ending("declined", str(declined))
    except Refused as refused:
        return Ending("parked", str(refused))
    return Ending("read", "", decision.ready, decoded)


def results(store: Store, folder: str, ending: Ending) -> Iterator[Dataset]:
    """Yield what a model's answer on such a study would be sent as, read back."""
    assert ending.ready is not None
    assert ending.decoded is not None
    objects = store.study(folder) / "objects"
    digests = sorted({view.digest for view in ending.ready.views})
    headers = tuple(dcmread(objects / f"{digest}.dcm", stop_before_pixels=True) for digest in digests)
    reading = Reading(
        finding=finding(ending.ready.views),
        others=(),
        scan=Scan(ending.decoded.frames, ending.decoded.pixel_mm, headers),
        predecessor=None,
        encoded_at=ENCODED_AT,
    )
    for encode in ENCODERS.values():
        file = BytesIO()
        encode(reading).save_as(file, enforce_file_format=True)
        file.seek(0)
        yield dcmread(file)


@pytest.mark.filterwarnings(NO_TEXT)
@pytest.mark.parametrize("name", CORPUS)
def test_every_fault_ends_as_it_should(receiver: Receiver, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused at the door with nothing kept, or kept and brought to an end, with its sentence and without its words."""
    fault = CORPUS[name]
    made = fault.send()
    objects = made if isinstance(made, list) else [made]
    said_before = len(receiver.log.read_text())
    answers = [pushed(receiver, one) for one in objects]
    folder = study_folder(objects[0].study)
    if fault.ends in AT_THE_DOOR:
        ((status, comment),) = answers
        assert status == STATUS[fault.ends]
        assert fault.says in comment
        assert not receiver.store.study(folder).exists()
        assert not receiver.unfinished()
        return
    assert {status for status, _ in answers} == {STATUS["stored"]}
    end = ending(receiver.store, folder)
    assert (end.state, fault.says in end.sentence) == (fault.ends, True), end.sentence
    assert "cannot be judged" not in end.sentence
    assert end.sentence == "" or end.sentence.endswith(".")
    assert INJECTED not in end.sentence + receiver.log.read_text()[said_before:] + "".join(capsys.readouterr())


def said(dataset: Dataset, keyword: str) -> str:
    """Return a text, "" where it has none or nobody can decode it."""
    try:
        return str(dataset[keyword].value or "")
    except LookupError:
        return ""


@pytest.mark.peers
@pytest.mark.filterwarnings(NO_TEXT)
@pytest.mark.parametrize("name", ODD)
def test_results_of_odd_scans_are_legal(tmp_path: Path, name: str, peer: Callable[[str], str]) -> None:
    """Results of odd scans are filed under the study, called what it is called; `dciodvfy` finds no other error."""
    store = Store(tmp_path)
    made = CORPUS[name].send()
    objects = made if isinstance(made, list) else [made]
    folder = study_folder(objects[0].study)
    for one in objects:
        part = tmp_path / "part"
        part.write_bytes(one.file())
        store.put_object(part, folder, sha256(one.file()).hexdigest())
    source = dcmread(BytesIO(objects[0].file()))
    for result in results(store, folder, ending(store, folder)):
        assert result.StudyInstanceUID == objects[0].study
        for keyword in FILED_BY & set(result.dir()):
            assert said(result, keyword) in ("", said(source, keyword))
            result[keyword].value = "" if keyword != "IssuerOfPatientID" else "Here"
        assert not [line for line in errors(peer("/usr/bin/dciodvfy"), result, tmp_path) if not _of_the_study(line)]


def _of_the_study(error: str) -> bool:
    """The study is called what the PACS calls it, if there are zeros in front of its numbers."""
    return "Leading zeroes" in error or error.endswith("invalid data values for Value Representations")


def test_no_fault_takes_the_door_down(receiver: Receiver) -> None:
    """After all of that the same processes serve the next sender, and its scan is kept."""
    before = {listener.pid for listener in receiver.listeners()}
    for name in ("structure: 100,000 levels", "structure: nothing", "UID: a path upwards as study"):
        pushed(receiver, CORPUS[name].send())  # type: ignore[arg-type]
    good = sent(fresh())
    assert pushed(receiver, good) == (STATUS["stored"], "")
    assert {listener.pid for listener in receiver.listeners()} == before
    assert not receiver.said("Traceback")
