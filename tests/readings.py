"""Studies that wait to be read, and what reads them."""

import hashlib
import time
from typing import Any

from pydicom import Dataset
from redis import Redis

from scintiflow.config import Configuration
from scintiflow.dicom.identity import study_folder
from scintiflow.keeper.gather import gather
from scintiflow.router.ask import classifier_at
from scintiflow.router.read import Router
from scintiflow.store import Store
from scintiflow.stream import Delivery, Stream

PACS = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 104, "synthetic": "too"}


def a_router(store: Store, redis: Redis, url: str, *, timeout: float = 10, **rules: Any) -> Router:
    """A router for one PACS, or with other rules."""
    configuration = Configuration.model_validate({"destinations": [PACS]} | rules)
    client = classifier_at(url, timeout)
    queues = {name: Stream(redis, f"results:{name}") for name in configuration.destination}
    return Router(store, client, configuration, queues)


def stored(store: Store, scan: Dataset) -> Delivery:
    """Store and gather one scan; return it as the router takes it from its queue."""
    folder = study_folder(scan.StudyInstanceUID)
    part = store.data / "part"
    scan.save_as(part, enforce_file_format=True)
    store.put_object(part, folder, hashlib.sha256(part.read_bytes()).hexdigest())
    decision = gather(store, folder, time.time(), "PACS")
    assert decision is not None and decision.ready is not None, decision
    ready = decision.ready
    return Delivery("1-0", f"{folder}:r{ready.revision}", ready.SerializeToString(), retries=0, failures=0)
