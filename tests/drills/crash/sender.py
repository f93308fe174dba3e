"""The modality of the drill: sends studies over four associations, each object until it is answered 0000."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless
from pynetdicom import AE
from pynetdicom.association import Association

from scintiflow.dicom.c_store import PROMPTLY, c_store
from tests.drills.crash.ledger import Ledger
from tests.drills.crash.pacs import LedgeredPacs
from tests.drills.crash.studies import Study, digest

ASSOCIATIONS = 4
SUCCESS = 0x0000
_PAUSE_SECONDS = 0.2
_BETWEEN_SECONDS = 3.0  # some five studies in four seconds: what is restarted needs a processor too
_PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 3.0
_MOST_OWED = 12
_HANGS_UP = 0.3
"""How likely an association ends after a study."""


class LedgeredSender:
    """Sends until stopped; a study begun is sent to its end."""

    def __init__(self, port: int, studies: Iterator[Study], pacs: LedgeredPacs, ledger: Path) -> None:
        self._port = port
        self._studies = studies
        self._pacs = pacs
        self._ledger = Ledger(ledger)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.sent: list[Study] = []
        """Every study that was begun."""
        self.accepted: dict[str, float] = {}
        """Study Instance UID -> when its sending began, for those that were answered 0000 as a whole."""
        self._owed: set[str] = set()
        self._threads = [threading.Thread(target=self._send_on, name=f"sender {n}") for n in range(ASSOCIATIONS)]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> bool:
        """Begin no more studies; tell whether those begun were accepted within `seconds`."""
        self._stopped.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def healed(self, since: float) -> bool:
        """Tell whether a study that was sent after `since` (Unix seconds) has a result at the PACS."""
        assert all(thread.is_alive() for thread in self._threads), "the drill's own sender failed"
        with self._lock:
            young = [uid for uid, at in reversed(self.accepted.items()) if at > since]
        return any(map(self._pacs.arrived, young))

    def _much_is_owed(self) -> bool:
        """Tell whether many studies wait for their results: more would only queue, and no result could be prompt."""
        with self._lock:
            self._owed = {uid for uid in self._owed if not self._pacs.arrived(uid)}
            return len(self._owed) > _MOST_OWED

    def _send_on(self) -> None:
        line = _Line(self._port)
        while not self._stopped.is_set():
            if self._much_is_owed():
                self._stopped.wait(_PAUSE_SECONDS)
                continue
            with self._lock:
                study = next(self._studies)
                self.sent.append(study)
            begun = time.time()
            for _ in range(study.times):
                for image in study.objects:
                    self._send(line, study, image)
            with self._lock:
                self.accepted[study.uid] = begun
            if study.end == "delivered":
                self._owed.add(study.uid)
                self._pacs.wait_for_result(study.uid, _LOOK_SECONDS)
            if random.random() < _HANGS_UP:
                line.hang_up()
            self._stopped.wait(_BETWEEN_SECONDS)
        line.hang_up()

    def _send(self, line: "_Line", study: Study, image: Dataset) -> None:
        """Send one object until it is answered 0000."""
        stored = digest(image)
        while True:
            status = line.store(image)
            self._ledger.write(study=study.uid, uid=image.SOPInstanceUID, digest=stored, status=status)
            if status == SUCCESS:
                return
            time.sleep(_PAUSE_SECONDS)


class _Line:
    """One association, opened again when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._association: Association | None = None

    def store(self, image: Dataset) -> int | None:
        """C-STORE one object; return the status, or None where there was no answer."""
        if self._association is None or not self._association.is_established:
            self._association = self._call(image)
        if not self._association.is_established:
            return None
        with suppress(RuntimeError):
            status: int | None = c_store(self._association, image).get("Status")
            return status
        return None

    def hang_up(self) -> None:
        """Release the association."""
        if self._association is not None and self._association.is_established:
            self._association.release()

    def _call(self, image: Dataset) -> Association:
        entity = AE("PACS")
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _PATIENCE_SECONDS
        entity.connection_timeout = _PATIENCE_SECONDS
        for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless):
            entity.add_requested_context(image.SOPClassUID, syntax)
        return entity.associate("127.0.0.1", self._port, ae_title="SCINTIFLOW", evt_handlers=[*PROMPTLY])
