"""How fast is the durable door? The same load against ours, Orthanc, DCMTK storescp and bare pynetdicom, in turn.

`python -m benchmarks.receive [--quick] [--only NAME] [--json FILE]`, from the repository's root. Objects are NM scans
of two frames, each its own study; DCMTK's dcmsend sends them over several associations at once, and shares the
cores with the receiver. All receivers stay up, on one disk, and take turns in every round; what the disk still owes
is written before each turn. TCP_NODELAY is set on both sides of every connection. Ours runs with the Redis of
`scintiflow up`.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from itertools import count, product
from pathlib import Path
from typing import Any

from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.probe import Probe
from benchmarks.provenance import provenance
from benchmarks.receivers import AE_TITLE, LARGEST_PDU, RECEIVERS, SENDER, WITHOUT_DELAY, Receiver
from scintiflow.receiver.part import file_meta
from tests.builders import body_counts, file_bytes, scan

DCMSEND = "/usr/bin/dcmsend"
SHAPES = {"1 MiB": (1024, 256), "64 KB": (128, 128)}
"""Rows and columns of each of two frames of 16-bit pixels."""
OBJECTS = {"1 MiB": 240, "64 KB": 480}
ASSOCIATIONS = (1, 4, 8)
RATIO_AT = ("1 MiB", 4)
Case = tuple[str, int, str]
"""Size of the objects, number of associations, name of the receiver."""

_serials = count()


@dataclass(frozen=True)
class Template:
    """An object from which others are made that differ in their UIDs."""

    data: bytes
    uids: tuple[str, str, str]
    """Study, series and SOP instance."""

    def another(self) -> tuple[str, bytes]:
        """Return the SOP Instance UID and the file of a new object, of a study of its own."""
        serial, data, instance = f"{os.getpid():07d}{next(_serials):07d}", self.data, ""
        for level, uid in enumerate(self.uids):
            instance = f"2.25.{level + 1}{serial}".ljust(len(uid), "0")
            data = data.replace(uid.encode(), instance.encode())
        return instance, data

    @cached_property
    def data_set_at(self) -> int:
        """Where the data set begins: behind preamble, group length and the rest of the file meta information."""
        return 144 + int.from_bytes(self.data[140:144], "little")


@dataclass(frozen=True)
class Load:
    """Files to send, and what a receiver must keep of them."""

    files: list[Path]
    instances: set[str]
    digests: set[str]


@dataclass
class Turn:
    """One turn of one receiver."""

    objects_per_second: float
    megabytes_per_second: float
    cpu_ms: float
    """CPU time of the receiver, milliseconds an object."""
    sender_cpu_ms: float
    lost: int


def main() -> None:
    """Run, print one table a size, and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, 4 associations, fewer objects")
    parser.add_argument("--only", choices=RECEIVERS, help="for profiling")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(RECEIVERS)
    report = measure(names, quick=arguments.quick) | provenance("scintiflow", "pynetdicom", "pydicom")
    report["peers"] = {"dcmtk": _version(DCMSEND), "orthanc": _version("/usr/sbin/Orthanc")}
    show(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def measure(names: list[str], *, quick: bool) -> dict[str, Any]:
    """Return the figures of all turns, headed by how ours compares at 4 associations and 1 MiB."""
    rounds, associations = (1, (4,)) if quick else (3, ASSOCIATIONS)
    turns: dict[Case, list[Turn]] = {}
    answers: dict[tuple[str, str], list[float]] = {}
    with _running(names) as receivers, tempfile.TemporaryDirectory(dir=".") as folder:
        for turn in track(range(rounds), "rounds"):
            order = names[turn % len(names) :] + names[: turn % len(names)]
            for size in SHAPES:
                template = _template(size)
                for several, name in product(associations, order):
                    load = _load(Path(folder), template, OBJECTS[size] // (1 + quick))
                    turns.setdefault((size, several, name), []).append(take_turn(receivers[name], load, several))
                for name in order:
                    answers.setdefault((size, name), []).extend(time_answers(receivers[name], template))
    return {
        **ratios(turns),
        "lost_objects": {
            name: sum(turn.lost for key in turns if key[2] == name for turn in turns[key]) for name in names
        },
        "turns": [
            {"objects": size, "associations": several, "receiver": name} | summary(taken)
            for (size, several, name), taken in turns.items()
        ],
        "answer_ms": [
            {"objects": size, "receiver": name} | percentiles(values) for (size, name), values in answers.items()
        ],
    }


def ratios(turns: dict[Case, list[Turn]]) -> dict[str, float]:
    """Return how many times as many objects a second ours stores as the others, where that was measured."""

    def rate(name: str) -> float:
        return statistics.median(turn.objects_per_second for turn in turns[*RATIO_AT, name])

    names = {"orthanc": "ratio_to_orthanc_fsync", "storescp": "ratio_to_storescp_nofsync"}
    if (*RATIO_AT, "ours") not in turns:
        return {}
    return {title: rate("ours") / rate(name) for name, title in names.items() if (*RATIO_AT, name) in turns}


def summary(turns: list[Turn]) -> dict[str, float]:
    """Return medians, and the range of the rate."""
    rates = [turn.objects_per_second for turn in turns]
    medians = {name: statistics.median(asdict(turn)[name] for turn in turns) for name in asdict(turns[0])}
    return medians | {"slowest": min(rates), "fastest": max(rates), "lost": sum(turn.lost for turn in turns)}


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """Return what half, and what all but one in a hundred answers kept to."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98], "n": len(milliseconds)}


def take_turn(receiver: Receiver, load: Load, associations: int) -> Turn:
    """Send a load over some associations at once; return how it went."""
    os.sync()
    before, kept = receiver.cpu_seconds(), receiver.kept()
    sent, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [DCMSEND, "-aet", SENDER, "-aec", AE_TITLE, "--max-pdu", str(LARGEST_PDU), "127.0.0.1"]
    senders = [
        subprocess.Popen(
            [*command, str(receiver.port), *map(str, load.files[number::associations])],
            env=os.environ | WITHOUT_DELAY,
            stderr=subprocess.DEVNULL,
        )
        for number in range(associations)
    ]
    for sender in senders:
        sender.wait()
    seconds = time.perf_counter() - began
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    sender_seconds = done.ru_utime + done.ru_stime - sent.ru_utime - sent.ru_stime
    total, size = len(load.files), load.files[0].stat().st_size
    return Turn(
        objects_per_second=total / seconds,
        megabytes_per_second=total * size / seconds / 1e6,
        cpu_ms=1000 * (receiver.cpu_seconds() - before) / total,
        sender_cpu_ms=1000 * sender_seconds / total,
        lost=total - _new(kept, receiver.kept(), load),
    )


def time_answers(receiver: Receiver, template: Template) -> list[float]:
    """Store objects one after the other; return the milliseconds from first byte to answer."""
    syntax = ExplicitVRLittleEndian
    probe = Probe(receiver.port, calling=SENDER, called=AE_TITLE, sop_class=NuclearMedicineImageStorage, syntax=syntax)
    found = []
    for _ in range(60):
        instance, data = template.another()
        found.append(1000 * probe.store(instance, data[template.data_set_at :]))
    probe.close()
    return found[10:]


def show(report: dict[str, Any]) -> None:
    """Print the tables."""
    columns = ("objects", "associations", "receiver", "objects/s", "range", "MB/s", "CPU ms", "sender CPU ms", "lost")
    table = Table(*columns, title="Receiving studies of one object each; CPU time is per object")
    for turn in report["turns"]:
        table.add_row(
            turn["objects"],
            str(turn["associations"]),
            turn["receiver"],
            f"{turn['objects_per_second']:.0f}",
            f"{turn['slowest']:.0f}..{turn['fastest']:.0f}",
            f"{turn['megabytes_per_second']:.0f}",
            f"{turn['cpu_ms']:.2f}",
            f"{turn['sender_cpu_ms']:.2f}",
            str(turn["lost"]),
        )
    answers = Table("objects", "receiver", "p50 ms", "p99 ms", title="One C-STORE, one association")
    for answer in report["answer_ms"]:
        answers.add_row(answer["objects"], answer["receiver"], f"{answer['p50']:.1f}", f"{answer['p99']:.1f}")
    Console().print(table, answers, {name: value for name, value in report.items() if name.startswith("ratio")})


def _new(before: set[str] | int, after: set[str] | int, load: Load) -> int:
    """Return how many objects of a load were kept: by number, by digest (ours), or by UID in the name."""
    if isinstance(before, int) or isinstance(after, int):
        return int(after) - int(before)  # type: ignore[arg-type]
    stems = {name.removesuffix(".dcm").removeprefix("NM.") for name in after - before}
    return max(len(stems & load.digests), len(stems & load.instances))


def _template(size: str) -> Template:
    rows, columns = SHAPES[size]
    image = scan(body_counts(2, rows, columns))
    uids = (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
    return Template(file_bytes(image), uids)


@contextmanager
def _running(names: list[str]) -> Iterator[dict[str, Receiver]]:
    with tempfile.TemporaryDirectory(dir=".") as folder, ExitStack() as stack:
        receivers = {}
        for name in names:
            home = Path(folder).resolve() / name
            home.mkdir()
            receivers[name] = stack.enter_context(RECEIVERS[name](home))
        yield receivers


def _load(folder: Path, template: Template, files: int) -> Load:
    """Write new objects over those of the last turn: ext4 makes files slowly where many have just been removed."""
    load = Load([], set(), set())
    for number in range(files):
        instance, data = template.another()
        meta = file_meta(NuclearMedicineImageStorage, instance, ExplicitVRLittleEndian)
        load.files.append(folder / f"{number}.dcm")
        load.files[-1].write_bytes(data)
        load.instances.add(instance)
        load.digests.add(sha256(meta + data[template.data_set_at :]).hexdigest())
    return load


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


if __name__ == "__main__":
    main()
