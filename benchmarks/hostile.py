"""Are genuine peers served while hostile ones stand at the door? C-STORE latency, quiet and beside them.

`python -m benchmarks.hostile [--quick] [--only NAME] [--json FILE]`, from the repository's root. One genuine peer after
the other associates, stores one object and releases, while 311 connections stay silent, while 311 drip a byte each
second, while others flood the port with zeros, and while strangers ask to be let in without end. The same beside
pynetdicom's own SCP as it comes and, where it is installed, DCMTK's storescp; those two keep nothing durable. A peer
that has no answer within `PATIENCE_SECONDS` was not served.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.provenance import provenance
from scintiflow.dicom.c_store import c_store
from tests.builders import scan
from tests.ports import free_port, is_free
from tests.raw_peer import association_request
from tests.receiver import running_receiver
from tests.waiting import wait_for

Met = dict[str, dict[str, float | None]]
"""Condition -> what genuine peers met."""

CROWD = 311
PATIENCE_SECONDS = 5.0
STORESCP = Path("/usr/bin/storescp")
SETTLING_SECONDS = 4
OBJECTS, OBJECTS_OF_OTHERS = {"scintiflow": 200}, 20
REQUEST_BEGUN = b"\1\0\0\0\xff\xff" + bytes(1000)

DEFAULT_SCP = """
import sys
from pynetdicom import AE, AllStoragePresentationContexts, evt
entity = AE("SCINTIFLOW")
entity.supported_contexts = AllStoragePresentationContexts
entity.start_server(("127.0.0.1", int(sys.argv[1])), evt_handlers=[(evt.EVT_C_STORE, lambda event: 0)])
"""


@dataclass(frozen=True)
class Scp:
    """A running server: its port and its processes."""

    port: int
    process: psutil.Process

    def memory(self) -> int:
        """Return the bytes that its processes hold."""
        return sum(one.memory_info().rss for one in [self.process, *self.process.children(recursive=True)])

    def threads(self) -> int:
        """Return how many threads they have."""
        return sum(one.num_threads() for one in [self.process, *self.process.children(recursive=True)])


@dataclass
class Found:
    """What genuine peers met: seconds of those served, and how many there were."""

    seconds: list[float] = field(default_factory=list)
    tried: int = 0
    bytes_a_socket: float | None = None
    threads: int = 0

    def summary(self) -> dict[str, float | None]:
        """Return share served, p50 and p99 in milliseconds, memory of a hostile socket in KiB, and threads."""
        ranked = sorted(self.seconds)
        return {
            "served": len(ranked) / self.tried,
            "p50_ms": 1000 * statistics.median(ranked) if ranked else None,
            "p99_ms": 1000 * ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))] if ranked else None,
            "n": self.tried,
            "kib_a_socket": None if self.bytes_a_socket is None else self.bytes_a_socket / 1024,
            "threads": self.threads,
        }


def main() -> None:
    """Run, print one table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="15 objects a condition")
    parser.add_argument("--only", choices=servers(), help="one server, without the others beside it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(servers())
    found = {name: measure(name, 15 if arguments.quick else OBJECTS.get(name, OBJECTS_OF_OTHERS)) for name in names}
    report = ratios(found.get("scintiflow", {})) | {"servers": found} | provenance("scintiflow", "pynetdicom")
    show(found)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def ratios(us: Met) -> dict[str, Any]:
    """Return how p99 beside hostile peers compares with p99 in the quiet, and the least share served."""
    if not us:
        return {}
    quiet = us["quiet"]["p99_ms"]
    return {
        f"p99_{condition}_over_quiet": row["p99_ms"] / quiet if row["p99_ms"] and quiet else None
        for condition, row in us.items()
        if condition != "quiet"
    } | {"served": min(row["served"] or 0 for row in us.values())}


def servers() -> dict[str, Callable[[], AbstractContextManager[Scp]]]:
    """Return what starts each server."""
    found: dict[str, Callable[[], AbstractContextManager[Scp]]] = {"scintiflow": ours, "pynetdicom": default_scp}
    if STORESCP.exists():
        found["DCMTK storescp"] = storescp
    return found


@contextmanager
def ours() -> Iterator[Scp]:
    """Run our receiver with the settings it comes with."""
    with tempfile.TemporaryDirectory() as folder, running_receiver(Path(folder)) as receiver:
        wait_for(lambda: receiver.metric("scintiflow_receiver_listeners") == 2, seconds=60)
        yield Scp(receiver.port, psutil.Process(receiver.process.pid))


@contextmanager
def default_scp() -> Iterator[Scp]:
    """Run pynetdicom's SCP as it comes; it answers success and keeps nothing."""
    port = free_port()
    with _running([sys.executable, "-c", DEFAULT_SCP, str(port)], port) as scp:
        yield scp


@contextmanager
def storescp() -> Iterator[Scp]:
    """Run DCMTK's storescp, one process an association; it writes files and does not sync them."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        _running([str(STORESCP), "--fork", "-od", folder, str(port)], port) as scp,
    ):
        yield scp


@contextmanager
def _running(command: list[str], port: int) -> Iterator[Scp]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: not is_free(port), seconds=30)
            yield Scp(port, psutil.Process(process.pid))
        finally:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()  # first: it makes more of them
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()


def measure(name: str, objects: int) -> Met:
    """Return what genuine peers meet under each condition; each has a fresh server."""
    found = {}
    for condition, hostile in track(CONDITIONS.items(), name):
        with servers()[name]() as scp:
            store(scp.port)
            store(scp.port)
            before = scp.memory()
            with hostile(scp.port) as sockets:
                met = Found()
                for _ in range(objects):
                    met.tried += 1
                    if (seconds := store(scp.port)) is not None:
                        met.seconds.append(seconds)
                    elif met.tried - len(met.seconds) > 2:  # the picture is clear
                        break
                met.bytes_a_socket = max(0, scp.memory() - before) / sockets if sockets else None
                met.threads = scp.threads()
        found[condition] = met.summary()
    return found


def store(port: int) -> float | None:
    """Associate, store one object of its own, release; return the seconds, or None if not served."""
    image = scan(study_uid=generate_uid())
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    began = time.perf_counter()
    return time.perf_counter() - began if _stored(port, image) else None


def _stored(port: int, image: Dataset) -> bool:
    entity = AE("PACS")
    entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = PATIENCE_SECONDS
    entity.add_requested_context(image.SOPClassUID, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="SCINTIFLOW")
    if not association.is_established:
        return False
    status = c_store(association, image).get("Status")
    association.release()
    return status == 0


@contextmanager
def nobody(_: int) -> Iterator[int]:
    """Leave the port alone."""
    yield 0


@contextmanager
def silent(port: int) -> Iterator[int]:
    """Hold connections that say nothing; closed ones come again."""
    with _crowd(port, b"") as count:
        yield count


@contextmanager
def dripping(port: int) -> Iterator[int]:
    """Hold connections that send a request byte by byte."""
    with _crowd(port, REQUEST_BEGUN) as count:
        yield count


@contextmanager
def zeros(port: int) -> Iterator[int]:
    """Send a MiB of zeros, again and again, over four connections."""
    with _in_background(lambda: _flood(port), threads=4):
        yield 0


@contextmanager
def strangers(port: int) -> Iterator[int]:
    """Ask for an association under an unknown title, again and again, over four connections."""
    with _in_background(lambda: _ask(port), threads=4):
        yield 0


CONDITIONS: dict[str, Callable[[int], AbstractContextManager[int]]] = {
    "quiet": nobody,
    f"{CROWD} silent": silent,
    f"{CROWD} dripping": dripping,
    "zero floods": zeros,
    "strangers asking": strangers,
}


@dataclass
class Rude:
    """One hostile connection that sends `script` at one byte a turn and comes again when it is closed."""

    port: int
    script: bytes
    sent: int = 0

    def __post_init__(self) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", self.port))

    def turn(self) -> None:
        """Send the next byte, or begin again."""
        try:
            self.sent += self.socket.send(self.script[self.sent : self.sent + 1])
            closed = self.socket.recv(64) == b""
        except BlockingIOError:
            closed = False
        except OSError:
            closed = True
        if closed:
            self.socket.close()
            self.sent = 0
            self.__post_init__()


@contextmanager
def _crowd(port: int, script: bytes) -> Iterator[int]:
    crowd = [Rude(port, script) for _ in range(CROWD)]

    def tend() -> None:
        for one in crowd:
            one.turn()
        time.sleep(1)

    with ExitStack() as stack:
        stack.callback(lambda: [one.socket.close() for one in crowd])
        stack.enter_context(_in_background(tend, threads=1))
        time.sleep(SETTLING_SECONDS)  # short backlogs take the crowd in slowly
        yield CROWD


def _flood(port: int) -> None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
            peer.sendall(bytes(1 << 20))
            while peer.recv(1 << 16):
                pass
    except OSError:
        time.sleep(0.01)  # closed at once, as it should be


def _ask(port: int) -> None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
            peer.sendall(association_request(calling="STRANGER"))
            peer.recv(1 << 10)
    except OSError:
        time.sleep(0.01)


@contextmanager
def _in_background(work: Callable[[], None], threads: int) -> Iterator[None]:
    over = threading.Event()

    def again() -> None:
        while not over.is_set():
            work()

    workers = [threading.Thread(target=again, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        over.set()
        for worker in workers:
            worker.join(10)


def show(found: dict[str, Met]) -> None:
    """Print the table."""
    table = Table("server", "condition", "served", "p50 ms", "p99 ms", "KiB a socket", "threads", title="At the door")
    for server, rows in found.items():
        for condition, row in rows.items():
            figures = (row["p50_ms"], row["p99_ms"], row["kib_a_socket"])
            cells = ["-" if value is None else f"{value:.0f}" for value in figures]
            table.add_row(server, condition, f"{100 * (row['served'] or 0):.0f} %", *cells, f"{row['threads']}")
    Console().print(table)


if __name__ == "__main__":
    main()
