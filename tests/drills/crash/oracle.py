"""What must hold when all is quiet again, from two ledgers, the disk and the log.

Each function returns sentences, one a violation; none is good.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from scintiflow.dicom.identity import study_folder
from scintiflow.records import ENDS, Record, read_record
from scintiflow.store import Store
from tests.drills.crash.installation import Installation
from tests.drills.crash.studies import CANARY, Study
from tests.folders import files_below

_SUCCESS = 0x0000
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_UID = re.compile(r"\b(?:1\.2\.|2\.25\.)[0-9.]{12,}")

Entries = list[dict[str, Any]]


def honest_ends(store: Store, sent: Iterable[Study]) -> Iterator[str]:
    """Every study accepted has come to the end that it must come to."""
    for study in sent:
        outcome = read_record(store, study_folder(study.uid)).outcome
        if outcome.state not in ENDS or outcome.state != study.end:
            yield f"{study.kind} {study.accession} ended as {outcome.state} ({outcome.reason}), not {study.end}"


def answers(sent_ledger: Entries) -> Iterator[str]:
    """An object that is not accepted is told so with A7xx, or not at all."""
    for entry in sent_ledger:
        if entry["status"] not in (None, _SUCCESS, *_OUT_OF_RESOURCES):
            yield f"an object of {entry['study']} was answered {entry['status']:04X}"


def bytes_kept(store: Store, sent_ledger: Entries) -> Iterator[str]:
    """What was answered 0000 is on disk, byte for byte, and nothing is that was never sent."""
    sent: defaultdict[str, set[str]] = defaultdict(set)
    for entry in sent_ledger:
        folder = study_folder(entry["study"])
        sent[folder].add(entry["digest"])
        path = store.study(folder) / "objects" / f"{entry['digest']}.dcm"
        if entry["status"] == _SUCCESS and not path.exists():
            yield f"an object of {entry['study']} was answered 0000 and is not on disk"
    for folder in store.studies():
        for path in (store.study(folder) / "objects").glob("*"):
            if path.stem not in sent[folder] or hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
                yield f"{folder[:12]} holds bytes that nobody sent"


def results(sent: Iterable[Study], pacs_ledger: Entries) -> Iterator[str]:
    """Of each study delivered a report and a picture by either model, always the same bytes, of the right patient."""
    received: defaultdict[str, Entries] = defaultdict(list)
    for entry in pacs_ledger:
        received[entry["study"]].append(entry)
    for study in sent:
        found = received.pop(study.uid, [])
        contents = {(entry["uid"], entry["digest"], entry["modality"]) for entry in found}
        wanted = ["OT", "OT", "SR", "SR"] if study.end == "delivered" else []
        if sorted(modality for _, _, modality in contents) != wanted:
            yield f"{study.kind} {study.accession} has results {sorted(contents)}"
        for entry in found:
            if (*entry["patient"], entry["accession"]) != (*study.patient, study.accession):
                yield f"a result of {study.accession} is of {entry['patient']}, {entry['accession']}"
    for uid in received:
        yield f"the PACS holds results of {uid}, which nobody sent"


def told_no_lies(store: Store, pacs_ledger: Entries) -> Iterator[str]:
    """Whatever a record speaks of is on disk, and whatever is marked as delivered was at the PACS before."""
    arrived: dict[str, float] = {}
    for entry in pacs_ledger:
        arrived.setdefault(entry["uid"], entry["at"])
    for folder in store.studies():
        yield from _of_one_study(store, read_record(store, folder), arrived)


def _of_one_study(store: Store, record: Record, arrived: dict[str, float]) -> Iterator[str]:
    study = store.study(record.folder)
    spoken = {digest for event in record.events for digest in event.get("objects", ())}
    spoken |= {view.digest for ready in record.readies for view in ready.views}
    if spoken - record.objects.keys():
        yield f"the record of {record.folder[:12]} speaks of an object that is not on disk"
    for delivery in record.deliveries:
        for result in delivery.results:
            if not (study / "results" / f"{result.name}.dcm").exists():
                yield f"the record of {record.folder[:12]} speaks of a result that is not on disk"
    for path in (study / "delivered").glob("*/*.json"):
        marker = json.loads(path.read_bytes())
        if marker["at"] < arrived.get(marker["sop_instance_uid"], float("inf")):
            yield f"{record.folder[:12]} was marked as delivered before the PACS had it"


def queues_empty(redis: Redis) -> Iterator[str]:
    """Nothing waits, and nothing is remembered of work that is done."""
    for key in sorted(redis.scan_iter("scintiflow:*")):
        name, kind = key.decode(), redis.type(key).decode()
        size = {"stream": redis.xlen, "hash": redis.hlen, "zset": redis.zcard, "set": redis.scard}.get(kind)
        if size is not None and (left := size(key)):
            yield f"{name} holds {left}"


def swept(installation: Installation) -> Iterator[str]:
    """Under incoming/ are the folders of those who live, and they are empty; no other file is there."""
    listeners = len(installation.stack.running("scintiflow.receiver.listener"))
    incoming = installation.data / "incoming"
    folders = [entry for entry in incoming.iterdir() if entry.is_dir()]
    files = [path for path in files_below(incoming) if path.name != "lock"]
    if len(folders) > listeners or files:
        names = sorted(folder.name.partition("-")[0] for folder in folders)
        yield f"incoming/ holds {names} and {len(files)} files, for {listeners} listeners"


def discreet(installation: Installation) -> Iterator[str]:
    """No patient and no UID is in the log or in a metric; nothing failed in a way that nobody foresaw."""
    log = installation.log.read_text(errors="replace")
    pages = [
        httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text for port in installation.stack.ports.values()
    ]
    for text, where in ((log, "the log"), ("\n".join(pages), "a metric")):
        if CANARY in text:
            yield f"a patient is named in {where}"
        if found := _UID.search(text):
            yield f"{where} holds the UID {found.group()}"
    if count := log.count("Traceback (most recent call last)"):
        yield f"the log holds {count} tracebacks"


def witnessed(sabotage: Path) -> Iterator[str]:
    """Nobody was told of something that a crash could still take away."""
    for path in (sabotage / "missing").iterdir():
        yield f"the drill is out of date: {path.name} is no more"
    if (sabotage / "witness").exists():
        yield from sorted(set((sabotage / "witness").read_text().splitlines()))[:20]
