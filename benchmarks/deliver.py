"""How long does a PACS take to get what was found in one study? Two reports and two pictures over one association.

`python -m benchmarks.deliver [--quick] [--json FILE]`, from the repository's root. DCMTK's storescp and Orthanc, as
they come, get them from ours, from pynetdicom as it comes and from DCMTK's dcmsend, in turns. Ours is what the
sender does with an association; files were written before, and no marker is. CPU time is that of whoever sends.
"""

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydicom.filereader import read_file_meta_info
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.provenance import provenance
from benchmarks.receivers import AE_TITLE, orthanc, storescp
from scintiflow.dicom.c_store import PROMPTLY, c_store
from scintiflow.results import ENCODERS
from scintiflow.sender.deliver import TRANSFER_SYNTAX, application_entity
from tests.unit.results.readings import both_views, finding, reading, scan

DCMSEND = "/usr/bin/dcmsend"
MODELS = ("a" * 64, "b" * 64)
"""Digests; each leaves a report and a picture."""
PEERS = {"storescp": storescp, "orthanc": orthanc}
OURS, PYNETDICOM = "ours", "pynetdicom"
_SUCCESS, _PATIENCE = 0x0000, 30.0


@dataclass(frozen=True)
class Delivery:
    """One study's results on their way."""

    milliseconds: float
    cpu_ms: float


Deliver = Callable[[int, Sequence[Path]], None]
"""Sends files to a port of this machine, over an association of their own."""


def main() -> None:
    """Run, print one table, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 deliveries of each kind in place of 40")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    deliveries = measure(rounds=5 if arguments.quick else 40)
    show(deliveries)
    if arguments.json:
        told = [{"peer": peer, "sender": name} | summary(taken) for (peer, name), taken in deliveries.items()]
        report = {"times_as_fast_as_pynetdicom": min(ratios(deliveries).values()), "deliveries": told}
        arguments.json.write_text(json.dumps(report | provenance("scintiflow", "pynetdicom", "pydicom"), indent=1))


def measure(rounds: int) -> dict[tuple[str, str], list[Delivery]]:
    """Let every sender deliver to every peer in turns; return the deliveries by peer and sender."""
    found: dict[tuple[str, str], list[Delivery]] = {}
    with tempfile.TemporaryDirectory(dir=".") as folder, ExitStack() as stack:
        ports = {peer: stack.enter_context(_as_it_comes(peer, Path(folder) / peer)) for peer in PEERS}
        for number in track(range(rounds + 1), "rounds"):
            for (peer, port), (name, deliver) in product(ports.items(), SENDERS.items()):
                taken = timed(deliver, port, results(Path(folder)))
                if number:  # the first one warms
                    found.setdefault((peer, name), []).append(taken)
    return found


def results(folder: Path) -> list[Path]:
    """Write the results of a new study, and return their files."""
    source, files = scan(StudyInstanceUID=generate_uid(), SOPInstanceUID=generate_uid()), []
    for digest, (kind, encode) in product(MODELS, ENCODERS.items()):
        found = finding(both_views(source), model_digest=digest)
        files.append(folder / f"{digest}-{kind}.dcm")
        encode(reading(source, found=found)).save_as(files[-1], enforce_file_format=True)
    return files


def timed(deliver: Deliver, port: int, files: Sequence[Path]) -> Delivery:
    """Deliver, and tell what it took."""
    cpu, began = _cpu_seconds(), time.perf_counter()
    deliver(port, files)
    return Delivery(1000 * (time.perf_counter() - began), 1000 * (_cpu_seconds() - cpu))


def by_ours(port: int, files: Sequence[Path]) -> None:
    """Deliver as the sender does."""
    with _associated(application_entity("BENCH", _PATIENCE), port, files, PROMPTLY) as association:
        for file in files:
            assert c_store(association, file).Status == _SUCCESS


def by_pynetdicom(port: int, files: Sequence[Path]) -> None:
    """Deliver as pynetdicom's documentation shows it, but for what it is told for ours: stored bytes, and no log."""
    with _associated(AE("BENCH"), port, files) as association:
        for file in files:
            assert association.send_c_store(file).Status == _SUCCESS


def by_dcmsend(port: int, files: Sequence[Path]) -> None:
    """Deliver with DCMTK's own, a process each time."""
    command = [DCMSEND, "-aet", "BENCH", "-aec", AE_TITLE, "127.0.0.1", str(port), *map(str, files)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


SENDERS: dict[str, Deliver] = {OURS: by_ours, PYNETDICOM: by_pynetdicom, "dcmsend": by_dcmsend}


def ratios(deliveries: dict[tuple[str, str], list[Delivery]]) -> dict[str, float]:
    """Return how many times as long as ours pynetdicom takes in the median round, by peer."""
    return {
        peer: statistics.median(
            other.milliseconds / one.milliseconds
            for one, other in zip(deliveries[peer, OURS], deliveries[peer, PYNETDICOM], strict=True)
        )
        for peer in PEERS
    }


def summary(taken: Sequence[Delivery]) -> dict[str, Any]:
    """Return the medians, and how far the deliveries lie apart."""
    apart = sorted(each.milliseconds for each in taken)
    return {
        "milliseconds": statistics.median(apart),
        "fastest": apart[0],
        "slowest": apart[-1],
        "cpu_ms": statistics.median(each.cpu_ms for each in taken),
        "deliveries": [asdict(each) for each in taken],
    }


def show(deliveries: dict[tuple[str, str], list[Delivery]]) -> None:
    """Print the table."""
    table = Table(title="Two reports and two pictures to a PACS")
    for heading in ("to", "from", "ms, median (range)", "CPU ms of the sender"):
        table.add_column(heading, justify="left" if heading in ("to", "from") else "right")
    for (peer, name), taken in deliveries.items():
        told = summary(taken)
        spread = f"{told['milliseconds']:.0f} ({told['fastest']:.0f}-{told['slowest']:.0f})"
        table.add_row(peer, name, spread, f"{told['cpu_ms']:.0f}")
    screen = Console()
    screen.print(table)
    for peer, ratio in ratios(deliveries).items():
        screen.print(f"To {peer} pynetdicom takes {ratio:.1f} times as long as ours.")


@contextmanager
def _as_it_comes(peer: str, folder: Path) -> Iterator[int]:
    """Run a PACS that may put off what it answers, as in hospitals."""
    folder.mkdir()
    with PEERS[peer](folder, {}) as receiver:
        yield receiver.port


@contextmanager
def _associated(
    entity: AE, port: int, files: Sequence[Path], handlers: Sequence[evt.EventHandlerType] = ()
) -> Iterator[Association]:
    for sop_class in sorted({read_file_meta_info(file).MediaStorageSOPClassUID for file in files}):
        entity.add_requested_context(sop_class, TRANSFER_SYNTAX)
    association = entity.associate("127.0.0.1", port, ae_title=AE_TITLE, evt_handlers=[*handlers])
    assert association.is_established
    yield association
    association.release()


def _cpu_seconds() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


if __name__ == "__main__":
    main()
