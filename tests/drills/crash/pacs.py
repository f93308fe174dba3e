"""The PACS of the drill: writes every transmission down before it answers 0000."""

import hashlib
import threading
import time
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.filewriter import write_file_meta_info
from pynetdicom import evt

from tests.drills.crash.ledger import Ledger
from tests.pacs import SUCCESS, Pacs


class LedgeredPacs(Pacs):
    """Keeps no objects, only what they say and their digests."""

    def __init__(self, ledger: Path) -> None:
        super().__init__()
        self._ledger = Ledger(ledger)
        self._arrived: dict[str, float] = {}
        self._news = threading.Condition()

    def arrived(self, study_uid: str) -> bool:
        """Tell whether a result of this study is here."""
        return study_uid in self._arrived

    def wait_for_result(self, study_uid: str, seconds: float) -> bool:
        """Wait until a result of this study is here; tell whether it is."""
        with self._news:
            return self._news.wait_for(lambda: self.arrived(study_uid), seconds)

    def _store(self, event: evt.Event) -> int:
        data = event.request.DataSet.getvalue()
        file = BytesIO()
        file.write(bytes(128) + b"DICM")
        write_file_meta_info(file, event.file_meta)
        file.write(data)
        file.seek(0)
        header = dcmread(file, stop_before_pixels=True)
        self._ledger.write(
            uid=header.SOPInstanceUID,
            digest=hashlib.sha256(data).hexdigest(),
            study=header.StudyInstanceUID,
            modality=header.Modality,
            patient=[str(header.PatientID), str(header.PatientName)],
            accession=str(header.AccessionNumber),
        )
        with self._news:
            self._arrived.setdefault(header.StudyInstanceUID, time.time())
            self._news.notify_all()
        return SUCCESS
