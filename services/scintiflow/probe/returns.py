"""The probe's own Storage SCP: learns of reports that come back, and keeps nothing."""

import threading
from collections.abc import Callable

from pynetdicom import AE, AllStoragePresentationContexts, evt

_SUCCESS = 0x0000


class Returns:
    """Takes whatever is sent to `title` at `host`:`port`, until it is closed."""

    def __init__(self, title: str, host: str, port: int) -> None:
        self.port = port
        self._came = threading.Condition()
        self._awaited = ""
        entity = AE(title)
        entity.supported_contexts = AllStoragePresentationContexts
        entity.require_called_aet = True
        handlers = [(evt.EVT_C_STORE, self._take)]
        self._server = entity.start_server((host, port), block=False, evt_handlers=handlers)

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()

    def brings_report(self, study_uid: str, after: Callable[[], None], seconds: float) -> bool:
        """Do what `after` does, then wait for a report on this study, for `seconds`; tell whether it came."""
        with self._came:
            self._awaited = study_uid
        after()
        with self._came:
            return self._came.wait_for(lambda: not self._awaited, seconds)

    def _take(self, event: evt.Event) -> int:
        result = event.dataset
        with self._came:
            if result.Modality == "SR" and result.StudyInstanceUID == self._awaited:
                self._awaited = ""
                self._came.notify_all()
        return _SUCCESS
