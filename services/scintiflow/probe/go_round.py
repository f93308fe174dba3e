"""One scan round the line: out by C-STORE like a scanner's, back as a report like a PACS gets it."""

import time
from dataclasses import dataclass
from datetime import datetime

import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE

from scintiflow.config import PROBE_TITLE
from scintiflow.dicom.c_store import PROMPTLY, c_store
from scintiflow.errors import Refused, Unavailable
from scintiflow.probe.metrics import Outcome, count_round
from scintiflow.probe.returns import Returns
from scintiflow.probe.scan import probe_scan

_SUCCESS = 0x0000
_NETWORK_SECONDS = 10.0
_TROUBLE: dict[Outcome, str] = {
    "unreachable": "The receiver accepts no association from the probe.",
    "refused": "The receiver did not take the probe's scan.",
    "late": "No report on the probe's scan came back in time.",
}


@dataclass
class Probe:
    """Whom the probe sends to, and where its results come back."""

    receiver: str
    port: int
    called: str
    returns: Returns
    patience: float
    """Seconds from sending to the report."""
    _last: Outcome = "returned"

    def trouble(self) -> str | None:
        """Return why the last scan did not come back, as a sentence, or None."""
        return _TROUBLE.get(self._last)

    def go_round(self) -> None:
        """Send one scan, and see whether a report on it comes back."""
        scan, begun = probe_scan(datetime.now().astimezone()), time.monotonic()
        self._last = self._outcome(scan)
        seconds = time.monotonic() - begun
        count_round(self._last, seconds)
        if self._last != "returned":
            structlog.get_logger().warning("the probe did not come back", outcome=self._last, seconds=round(seconds, 1))

    def _outcome(self, scan: Dataset) -> Outcome:
        try:
            came = self.returns.brings_report(scan.StudyInstanceUID, lambda: self._send(scan), self.patience)
        except Unavailable:
            return "unreachable"
        except Refused:
            return "refused"
        return "returned" if came else "late"

    def _send(self, scan: Dataset) -> None:
        entity = AE(PROBE_TITLE)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _NETWORK_SECONDS
        entity.connection_timeout = _NETWORK_SECONDS
        entity.add_requested_context(scan.SOPClassUID, scan.file_meta.TransferSyntaxUID)
        association = entity.associate(self.receiver, self.port, ae_title=self.called, evt_handlers=[*PROMPTLY])
        if not association.is_established:
            raise Unavailable(_TROUBLE["unreachable"])
        try:
            status = c_store(association, scan).get("Status")
        except RuntimeError as error:  # the association is over
            raise Refused(_TROUBLE["refused"]) from error
        finally:
            association.release()
        if status != _SUCCESS:
            raise Refused(_TROUBLE["refused"])
