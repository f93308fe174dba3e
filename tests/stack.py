"""A whole installation for a test: `scintiflow up` on its own ports and DATA, beside a PACS."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE

from scintiflow.config import PORTS, Deployment
from scintiflow.dicom.c_store import c_store
from scintiflow.dicom.identity import study_folder
from scintiflow.records import ENDS, Outcome, Record, read_record
from scintiflow.store import Store
from tests.graphs import skeleton
from tests.ports import free_offset
from tests.waiting import wait_for

SCINTIFLOW = str(Path(sys.executable).with_name("scintiflow"))
EXAMPLES = sorted(Path("models/metastasis/examples").glob("*.dcm"))
SHIPPED = Path("models").resolve()
"""The models that users get, for claims about them; the line is tested with one that costs no time."""

CONFIGURATION = """
[[allow]]
ae_title = "PACS"

[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
synthetic = "too"
"""

CLINIC_AND_RESEARCH = """
[[allow]]
ae_title = "PACS"

[[destinations]]
name = "clinic"
ae_title = "CLINIC"
host = "127.0.0.1"
port = {clinic}

[[destinations]]
name = "research"
ae_title = "RESEARCH"
host = "127.0.0.1"
port = {research}
synthetic = "too"
"""
"""Rules with a clinical archive, and one that takes results of synthetic studies too."""


@dataclass(frozen=True)
class Stack:
    """One running installation."""

    data: Path
    offset: int
    process: subprocess.Popen[bytes]
    log: Path
    models: Path = SHIPPED
    probe_interval: str | None = None
    """In seconds, where there is a probe."""

    @property
    def store(self) -> Store:
        """Its disk."""
        return Store(self.data)

    @property
    def dicom_port(self) -> int:
        """Where it listens for C-STORE."""
        return PORTS["dicom"] + self.offset

    @property
    def environment(self) -> dict[str, str]:
        """What the `scintiflow` command needs to find it."""
        return os.environ | {
            "SCINTIFLOW_DATA": str(self.data),
            "SCINTIFLOW_CONFIG": str(self.data.parent / "scintiflow.toml"),
            "SCINTIFLOW_PORT_OFFSET": str(self.offset),
            "SCINTIFLOW_MODELS": str(self.models),
        }

    @property
    def ports(self) -> dict[str, int]:
        """Where its processes speak HTTP."""
        installed = Deployment(models=self.models, port_offset=self.offset, probe_interval_seconds=self.probe_interval)
        return installed.http_ports

    def ready(self, *names: str) -> bool:
        """Tell whether the named processes (all by default) say that they are ready."""
        return all(_ready(PORTS[name] + self.offset) for name in names or self.ports)

    def record(self, study_uid: str) -> Record:
        """Read a study's record from disk."""
        return read_record(self.store, study_folder(study_uid))

    def outcome(self, study_uid: str, seconds: float = 30) -> Outcome:
        """Wait for a study's end and return it."""
        return wait_for(lambda: self._end(study_uid), seconds)

    def _end(self, study_uid: str) -> Outcome | None:
        outcome = self.record(study_uid).outcome
        return outcome if outcome.state in ENDS else None

    def running(self, words: str) -> list[psutil.Process]:
        """Return its processes whose command line holds `words`."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if words in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found


@contextmanager
def running_stack(
    folder: Path,
    configuration: str,
    *inside: str,
    models: Path | None = None,
    seen: Path | None = None,
    **environment: str,
) -> Iterator[Stack]:
    """Run `scintiflow up` until the block ends, behind the command `inside` if there is one; we see its DATA at `seen`.

    It serves the folder `models`, or one tiny model. Its log is shown when it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    served = models or skeleton(folder / "models")
    (folder / "scintiflow.toml").write_text(configuration)
    offset, log = free_offset(), folder / "up.log"
    command = [*inside, SCINTIFLOW, "up", "--data", folder / "data", "--config", folder / "scintiflow.toml"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*map(str, command), "--port-offset", str(offset)],
            stdout=output,
            stderr=output,
            env=os.environ | {"SCINTIFLOW_MODELS": str(served)} | environment,
        ) as process,
    ):
        interval = environment.get("SCINTIFLOW_PROBE_INTERVAL_SECONDS")
        stack = Stack(seen or folder / "data", offset, process, log, served, interval)
        try:
            try:
                wait_for(stack.ready, seconds=90)
            except AssertionError as error:
                raise AssertionError(f"it did not come up:\n{log.read_text()[-5000:]}") from error
            yield stack
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                process.kill()


def send(
    port: int, datasets: Iterable[Dataset | Path], *, calling: str = "PACS", called: str = "SCINTIFLOW"
) -> list[int]:
    """C-STORE `datasets` over one association; return the statuses."""
    loaded = [dcmread(item) if isinstance(item, Path) else item for item in datasets]
    entity = AE(calling)
    for sop_class, syntax in {(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in loaded}:
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    assert association.is_established, "the association was not accepted"
    try:
        return [c_store(association, dataset).get("Status") for dataset in loaded]
    finally:
        association.release()


def copies(examples: list[Path], count: int) -> list[Dataset]:
    """Return `count` studies with UIDs and patients of their own, made from the examples in turn."""
    return [_copy(dcmread(examples[number % len(examples)]), number) for number in range(count)]


def _copy(dataset: Dataset, number: int) -> Dataset:
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = (generate_uid() for _ in range(3))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientID, dataset.AccessionNumber = f"COPY{number}", f"A{number}"
    return dataset


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
