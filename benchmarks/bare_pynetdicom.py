"""A C-STORE receiver as pynetdicom's own documentation shows it: `python benchmarks/bare_pynetdicom.py PORT FOLDER`."""

import logging
import sys
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification

from scintiflow.dicom.c_store import without_delay


def store(event: evt.Event) -> int:
    """Decode the data set and save it."""
    dataset = event.dataset
    dataset.file_meta = event.file_meta
    dataset.save_as(Path(sys.argv[2]) / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
    return 0x0000


logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
entity = AE("SCINTIFLOW")
entity.supported_contexts = AllStoragePresentationContexts
entity.add_supported_context(Verification)
entity.start_server(
    ("127.0.0.1", int(sys.argv[1])),
    evt_handlers=[(evt.EVT_C_STORE, store), (evt.EVT_CONN_OPEN, without_delay)],
)
