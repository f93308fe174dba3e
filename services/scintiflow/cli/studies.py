"""`scintiflow studies`: where each study stands, and what was found."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydicom import dcmread
from rich.console import Console
from rich.table import Table

from scintiflow.cli.deployment import DataOption, JsonOption, OffsetOption, deployment
from scintiflow.contracts.v1.finding_pb2 import Finding
from scintiflow.dicom.identity import study_folder
from scintiflow.dicom.privacy import log_names
from scintiflow.errors import Refused
from scintiflow.records import ENDS, Record, read_findings, read_record
from scintiflow.store import Store

STATUSES = {
    Finding.STATUS_ASSESSED: "assessed",
    Finding.STATUS_NOT_ASSESSED: "not_assessed",
    Finding.STATUS_SHADOW: "shadow",
}
COLOURS = {"delivered": "green", "parked": "red", "incomplete": "yellow", "declined": "yellow", "read": "green"}


def studies(
    uid: Annotated[
        str | None, typer.Argument(metavar="[UID]", help="A Study Instance UID, or what logs call it.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.", show_default="all")] = None,
    data: DataOption = None,
    port_offset: OffsetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show each study's state, with the reason, and its findings; newest first."""
    store = Store(deployment(data=data, port_offset=port_offset).data)
    chosen = [_record_of(store, uid)] if uid else newest_first(store)[:limit]
    found = [summary(store, record) for record in chosen]
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        Console().print(_table(found) if found else "No study has come in yet.")


def newest_first(store: Store) -> list[Record]:
    """Return the records of all studies, the one that came in last first."""
    records = [read_record(store, folder) for folder in store.studies()]
    return sorted(records, key=lambda record: _received_at(record) or 0.0, reverse=True)


def summary(store: Store, record: Record) -> dict[str, Any]:
    """Return what `studies --json` says of one study; `seconds` runs from its last needed object to its end."""
    outcome, received_at = record.outcome, _received_at(record)
    ended = outcome.at if outcome.state in ENDS else None
    last = record.readies[-1].last_stored_at if record.readies else max(record.objects.values(), default=None)
    revision = record.readies[-1].revision if record.readies else 0
    return {
        "study_uid": study_uid(store, record),
        "state": outcome.state,
        "reason": outcome.reason or None,
        "findings": [_finding(finding) for finding in read_findings(store, record.folder, revision)],
        "destinations": [{"name": name, "state": record.destination_state(name)} for name in record.destinations],
        "received_at": datetime.fromtimestamp(received_at, UTC).isoformat() if received_at else None,
        "seconds": round(ended - last, 3) if ended and last else None,
    }


def study_uid(store: Store, record: Record) -> str | None:
    """Read the Study Instance UID from a stored object; None once retention has removed them all."""
    objects = store.study(record.folder) / "objects"
    return next(filter(None, (_uid_in(objects / f"{digest}.dcm") for digest in record.objects)), None)


def _uid_in(path: Path) -> str | None:
    try:
        found = dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"]).get("StudyInstanceUID")
    except Exception:  # pydicom raises nearly anything on malformed input; the others are listed all the same
        return None
    return str(found) if found else None


def is_called(store: Store, folder: str, which: str) -> bool:
    """Tell whether `which` is the Study Instance UID of a study, or the reference that logs and traces have for it."""
    return folder == study_folder(which) or which in log_names(store.salt, folder).values()


def _record_of(store: Store, which: str) -> Record:
    called = (folder for folder in store.studies() if is_called(store, folder, which))
    record = read_record(store, next(called, study_folder(which)))
    if not record.objects and not record.events:
        raise Refused("No study with this UID has come in; `scintiflow studies` lists those that have.")
    return record


def _received_at(record: Record) -> float | None:
    """Return when the study's first trace was written (Unix seconds)."""
    return min([*record.objects.values(), *(event["at"] for event in record.events[:1])], default=None)


def _finding(finding: Finding) -> dict[str, Any]:
    assessed = finding.HasField("probability")
    return {
        "model": finding.model,
        "version": finding.model_version,
        "digest": finding.model_digest,
        "status": STATUSES.get(finding.status),
        "reason": finding.reason or None,
        "label": finding.label,
        "probability": finding.probability if assessed else None,
        "threshold": finding.threshold,
        "positive": finding.positive if assessed else None,
        "engine": finding.engine or None,
        "precision": finding.precision or None,
    }


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("study", "state", "findings", "results", "seconds")
    for study in found:
        colour = COLOURS.get(study["state"], "cyan")
        state = f"[{colour}]{study['state']}[/]\n[dim]{study['reason'] or ''}[/]".rstrip("\n")
        findings = "\n".join(_in_words(finding) for finding in study["findings"])
        results = "\n".join(f"{each['name']}: {each['state']}" for each in study["destinations"])
        seconds = "" if study["seconds"] is None else f"{study['seconds']:.1f}"
        table.add_row(study["study_uid"] or "(removed by retention)", state, findings, results, seconds)
    return table


def _in_words(finding: dict[str, Any]) -> str:
    if finding["probability"] is None:
        return f"{finding['label']}: not assessed, {finding['reason']}"
    answer = "positive" if finding["positive"] else "negative"
    shadow = " (shadow)" if finding["status"] == "shadow" else ""
    return f"{finding['label']}: {answer}, {finding['probability']:.2f}{shadow}"
