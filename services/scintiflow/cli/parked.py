"""`scintiflow parked`: what needs a person, why, and trying again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from scintiflow.cli.deployment import DataOption, deployment
from scintiflow.cli.studies import is_called, newest_first, study_uid
from scintiflow.dicom.privacy import log_name
from scintiflow.errors import Refused
from scintiflow.records import Record, note
from scintiflow.store import Store

parked = typer.Typer(no_args_is_help=True, help="What needs a person: why, and try again.")

_ADVICE = {
    "gather": "Correct the study at its source and send it again, or replay it after an update.",
    "read": "See the router's log; replay it when the cause is gone.",
    "send": "Correct the destination, or its table in scintiflow.toml; then replay it.",
}

WhichArgument = Annotated[str, typer.Argument(metavar="STUDY", help="A Study Instance UID, or the key from the list.")]


@parked.command("list")
def list_parked(data: DataOption = None) -> None:
    """List what is parked, with the reason."""
    found = [(record, event) for record in _parked_in(_store(data)) for event in record.parked]
    table = Table("key", "since", "where", "why")
    for record, event in found:
        table.add_row(log_name(record.folder), _time(event), _where(event), event["reason"])
    Console().print(table if found else "Nothing is parked.")


@parked.command()
def show(which: WhichArgument, data: DataOption = None) -> None:
    """Show a parked study's whole story and what to do."""
    store = _store(data)
    record, screen = _find(store, which), Console(highlight=False)
    screen.print(f"Study {study_uid(store, record) or '(its objects were removed by retention)'}", markup=False)
    for event in record.events:
        facts = [event["event"], _where(event), f"revision {event['revision']}" if "revision" in event else ""]
        told = " ".join(filter(None, facts))
        screen.print(f"  {_time(event)}  {told}. {event.get('reason', '')}".rstrip(), markup=False, soft_wrap=True)
    for event in record.parked:
        screen.print(f"{_where(event)}: {_ADVICE[event['stage']]}", markup=False, soft_wrap=True)


@parked.command()
def replay(
    which: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="As for show.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Replay all that is parked.")] = False,
    data: DataOption = None,
) -> None:
    """Try parked work again; the keeper takes it up within seconds."""
    store = _store(data)
    if (which is None) != everything:
        raise Refused("Name one study, or say --all.")
    for record in _parked_in(store) if which is None else [_find(store, which)]:
        for event in record.parked:
            _replay(store, record, event)
            print(f"{log_name(record.folder)}: trying again: {_where(event)}")


def _replay(store: Store, record: Record, event: Mapping[str, Any]) -> None:
    kept = "results" if event["stage"] == "send" else "objects"
    if not any((store.study(record.folder) / kept).glob("*.dcm")):
        raise Refused(
            f"{log_name(record.folder)}: retention has removed its {kept}; send the study again from its source."
        )
    note(store, record.folder, "replayed", **{key: event[key] for key in _PLACE if key in event})


_PLACE = ("stage", "destination", "revision")


def _store(data: DataOption) -> Store:
    return Store(deployment(data=data).data)


def _parked_in(store: Store) -> list[Record]:
    return [record for record in newest_first(store) if record.parked]


def _find(store: Store, which: str) -> Record:
    """Return the parked study that is called `which`, or whose key begins so."""
    parked = _parked_in(store)
    found = [one for one in parked if one.folder.startswith(which) or is_called(store, one.folder, which)]
    if len(found) != 1:
        how_many = "No parked study answers" if not found else "Several parked studies answer"
        raise Refused(f"{how_many} to this; take a key from `scintiflow parked list`.")
    return found[0]


def _where(event: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (event.get("stage"), event.get("destination"))))


def _time(event: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(event["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
