"""A PACS for tests: a real C-STORE SCP that keeps what it gets in memory and may refuse on request."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.filewriter import write_file_meta_info
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.pdu import A_ASSOCIATE_AC

from tests.ports import free_port

SUCCESS = 0x0000
GARBLED = (
    "ignore:Exception in thread .*run_reactor:pytest.PytestUnhandledThreadExceptionWarning",
    "ignore::UserWarning:pydicom",
)
"""Warnings to be passed over where a line garbles what pynetdicom reads: it ends its own threads by exceptions."""


@dataclass
class Pacs:
    """What one PACS received; `answer` decides the status of each C-STORE."""

    port: int = field(default_factory=free_port)
    ae_title: str = "PACS"
    host: str = "127.0.0.1"
    answer: Callable[[str], int] = lambda uid: SUCCESS
    syntaxes: Sequence[str] = tuple(ALL_TRANSFER_SYNTAXES)
    """The transfer syntaxes that it takes."""
    received: list[tuple[str, str]] = field(default_factory=list)
    """SOP Instance UID and SHA-256 of the dataset bytes, one a transmission."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """SOP Instance UID -> the file, as a PACS would keep it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Pacs":
        entity = AE(self.ae_title)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, list(self.syntaxes))
        entity.require_called_aet = True
        self._server = entity.start_server(
            (self.host, self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def abort(self) -> None:
        """Abort every association."""
        for association in self._server.active_associations:
            association.abort()

    def datasets(self) -> list[Dataset]:
        """Return every object kept, in the order of arrival."""
        with self._lock:
            return [dcmread(BytesIO(data)) for data in self.objects.values()]

    def of_study(self, study_uid: str) -> list[Dataset]:
        """Return the objects of one study."""
        return [dataset for dataset in self.datasets() if dataset.StudyInstanceUID == study_uid]

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        status = self.answer(uid)
        if status == SUCCESS:
            data = event.request.DataSet.getvalue()
            with self._lock:
                self.received.append((uid, hashlib.sha256(data).hexdigest()))
                self.objects[uid] = _file(event.file_meta, data)
        return status


@dataclass
class Tally(Pacs):
    """A PACS that notes when each object came first and counts them all, but keeps none: for many."""

    stored_at: dict[str, float] = field(default_factory=dict)
    """SOP Instance UID -> Unix seconds."""
    transmissions: int = 0

    def _store(self, event: evt.Event) -> int:
        with self._lock:
            self.stored_at.setdefault(str(event.request.AffectedSOPInstanceUID), time.time())
            self.transmissions += 1
        return SUCCESS


@contextmanager
def hanging_up(last_word: bytes) -> Iterator[Pacs]:
    """Run a PACS that accepts associations, says `last_word` and hangs up."""

    def hang_up(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_AC):
            event.assoc.dul.socket.send(last_word)
            event.assoc.dul.socket.close()

    with Pacs() as pacs:
        pacs._server.bind(evt.EVT_PDU_SENT, hang_up)
        yield pacs


def _file(meta: Dataset, data: bytes) -> bytes:
    file = BytesIO()
    file.write(bytes(128) + b"DICM")
    write_file_meta_info(file, meta)
    file.write(data)
    return file.getvalue()
