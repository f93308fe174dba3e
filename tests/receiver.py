"""A receiver of a test's own: real processes behind a real DICOM port."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from pydicom import Dataset

from scintiflow.config import PORTS
from scintiflow.dicom.identity import study_folder
from scintiflow.store import Store
from tests.folders import files_below
from tests.ports import free_offset
from tests.waiting import wait_for

ALLOW = '[[allow]]\nae_title = "PACS"\n'
NOWHERE = "unix:///nonexistent/redis.sock"


@dataclass(frozen=True)
class Receiver:
    """One running receiver."""

    process: subprocess.Popen[bytes]
    store: Store
    offset: int
    log: Path

    @property
    def port(self) -> int:
        """Where it listens for DICOM."""
        return PORTS["dicom"] + self.offset

    def ready(self) -> bool:
        """Tell whether it says that it is ready."""
        try:
            return self._get("/readyz").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def metric(self, sample: str) -> float:
        """Return one sample, 0 if there is none yet."""
        lines = self._get("/metrics").text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    def listeners(self) -> list[psutil.Process]:
        """Return its listener processes that live."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]

    def objects(self, image: Dataset) -> list[Path]:
        """Return every stored object of an image's study."""
        return sorted((self.store.study(study_folder(image.StudyInstanceUID)) / "objects").glob("*"))

    def unfinished(self) -> list[Path]:
        """Return every temporary file that is no lock."""
        return [path for path in files_below(self.store.data / "incoming") if path.name != "lock"]

    def said(self, words: str) -> bool:
        """Tell whether its log holds `words`."""
        return words in self.log.read_text()

    def accepted(self) -> list[str]:
        """Return which listener accepted each association, in order."""
        return re.findall(r"accepted an association.*?(listener-[0-9a-f]{32})", self.log.read_text())

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{PORTS['receiver'] + self.offset}{path}", timeout=30)


@contextmanager
def running_receiver(
    folder: Path, *command: str, allow: str = ALLOW, seen: Path | None = None, **environment: str
) -> Iterator[Receiver]:
    """Run a receiver until the block ends, behind `command` if there is one; we see its DATA at `seen`."""
    offset, log = free_offset(), folder / "receiver.log"
    (folder / "scintiflow.toml").write_text(allow)
    settings = {
        "SCINTIFLOW_DATA": str(folder / "data"),
        "SCINTIFLOW_CONFIG": str(folder / "scintiflow.toml"),
        "SCINTIFLOW_PORT_OFFSET": str(offset),
        "SCINTIFLOW_REDIS_URL": NOWHERE,
    }
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, sys.executable, "-m", "scintiflow.receiver"],
            stderr=output,
            env=os.environ | settings | environment,
        ) as process,
    ):
        receiver = Receiver(process, Store(seen or folder / "data"), offset, log)
        try:
            wait_for(receiver.ready, seconds=60)
            yield receiver
        finally:
            if process.poll() is None:
                for member in [*psutil.Process(process.pid).children(recursive=True), process]:
                    with suppress(psutil.NoSuchProcess):  # it went with its parent
                        member.kill()
