"""The whole line as a benchmark runs it: `scintiflow up`, studies to send, and a destination that notes the time."""

import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from scintiflow.dicom.c_store import c_store, without_delay
from scintiflow.inference.manifest import folders
from scintiflow.results import ENCODERS
from tests.pacs import SUCCESS, Tally
from tests.stack import CONFIGURATION, EXAMPLES, SHIPPED, Stack, copies, running_stack
from tests.waiting import wait_for

_config.STORE_SEND_CHUNKED_DATASET = True  # the files as they are, without a decode in between

MANY, MORE, ONE = "ARCHIVE_A", "ARCHIVE_B", "SCANNER"
ALLOW = "".join(f'[[allow]]\nae_title = "{title}"\n' for title in (MANY, MORE, ONE))
AGAIN_SECONDS = 2.0
PUT_OFF = 0xA700
_WARM_SECONDS = 60


def results_a_study(models: Path) -> int:
    """Return how many objects come back for each study."""
    return len(ENCODERS) * len(folders(models))


@dataclass(frozen=True)
class Study:
    """One study on its way: where its file is, who sends it."""

    uid: str
    file: Path
    caller: str


@dataclass
class Line:
    """One running installation, its destination, and what was answered 0000 when."""

    stack: Stack
    destination: Tally
    folder: Path
    answered: dict[Study, float] = field(default_factory=dict)
    put_off: int = 0
    _numbers: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def results_a_study(self) -> int:
        """How many objects come back for each study."""
        return results_a_study(self.stack.models)

    def studies(self, number: int, caller: str) -> list[Study]:
        """Return new studies as files, made from the examples: anterior and posterior in one object."""
        made = []
        for dataset in copies(EXAMPLES, number):
            file = self.folder / f"{next(self._numbers)}.dcm"
            dataset.save_as(file)
            made.append(Study(dataset.StudyInstanceUID, file, caller))
        return made

    def forward(self, studies: Iterable[Study]) -> None:
        """Send studies one after the other over one association; each again and again until it is taken."""
        association: Association | None = None
        for study in studies:
            while study not in self.answered:
                if association is None or not association.is_established:
                    association = associated(self.stack.dicom_port, study)
                status = c_store(association, study.file).get("Status") if association.is_established else PUT_OFF
                with self._lock:
                    if status == SUCCESS:
                        self.answered[study] = time.time()
                    else:
                        self.put_off += 1
                if status != SUCCESS:
                    time.sleep(AGAIN_SECONDS)
        if association is not None:
            association.release()

    def drained(self) -> bool:
        """Tell whether the destination has everything."""
        return len(self.destination.stored_at) >= self.results_a_study * len(self.answered)

    def seconds(self, studies: Iterable[Study]) -> list[float]:
        """Return how long each study took to its last result; fails where one was lost or came twice."""
        stored, expected = self.destination.stored_at, self.results_a_study
        assert self.destination.transmissions == expected * len(self.answered), "something was sent twice"
        took = []
        for study in studies:
            record = self.stack.record(study.uid)
            uids = [result.sop_instance_uid for delivery in record.deliveries for result in delivery.results]
            assert len(uids) == expected, f"{study.uid} was acknowledged and has no results"
            took.append(max(stored[uid] for uid in uids) - self.answered[study])
        return took


def associated(port: int, study: Study) -> Association:
    """Return an association on which a study can be sent, if it was accepted."""
    entity = AE(study.caller)
    header = dcmread(study.file, stop_before_pixels=True)
    entity.add_requested_context(UID(header.SOPClassUID), header.file_meta.TransferSyntaxUID)
    handlers = [(evt.EVT_CONN_OPEN, without_delay)]
    return entity.associate("127.0.0.1", port, ae_title="SCINTIFLOW", evt_handlers=handlers)


def store(port: int, study: Study) -> int | None:
    """Send one study over an association of its own; return what was answered."""
    association = associated(port, study)
    assert association.is_established, "the association was not accepted"
    status: int | None = c_store(association, study.file).get("Status")
    association.release()
    return status


@contextmanager
def running_line(destination: Tally, models: Path = SHIPPED, **settings: str) -> Iterator[Line]:
    """Run an installation with the models in a folder, warmed with one study."""
    with tempfile.TemporaryDirectory() as name, destination:
        folder = Path(name)
        (folder / "files").mkdir()
        configuration = ALLOW + CONFIGURATION.format(port=destination.port)
        with running_stack(folder, configuration, models=models, **settings) as stack:
            found = Line(stack, destination, folder / "files")
            found.forward(found.studies(1, ONE))
            wait_for(found.drained, seconds=_WARM_SECONDS)
            yield found
