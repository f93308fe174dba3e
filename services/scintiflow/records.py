"""A study's record: the files of its folder folded into one state.

::

    receiving -> queued -> reading -> delivering -> delivered
                                                  | read | incomplete | declined | parked

Whoever does something to a study appends a line to its `events.jsonl`; nobody keeps a state anywhere else, so a
study is where its files say it is, after any crash. Lines may repeat, because work may be done twice: the fold
takes the first of equals. A decision of the keeper carries only the `objects` that it was the first to look at, or
judged otherwise than before, and which of them are `declined`: a study may come in thousands of pieces.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from scintiflow.contracts.v1.finding_pb2 import Finding, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.store import Store, hold

Event = Literal[
    "selected",  # keeper: these views are to be read; carries StudyReady as `ready`
    "unchanged",  # keeper: new objects, same views
    "declined",  # keeper or router: nothing here is for us, with the reason
    "reading",  # router: began
    "incomplete",  # router: no enabled model has the views it requires
    "read",  # router: findings recorded, nothing to send
    "reported",  # router: results written; carries `deliveries`
    "parked",  # anyone: needs a person; carries `stage` and, for sending, `destination`
    "replayed",  # a person: try again what was parked
    "expired",  # keeper: objects and results removed by retention
]
Stage = Literal["gather", "read", "send"]
State = Literal["receiving", "queued", "reading", "delivering", "delivered", "read", "incomplete", "declined", "parked"]
ENDS: frozenset[State] = frozenset({"delivered", "read", "incomplete", "declined", "parked"})

_DECISIONS: frozenset[Event] = frozenset({"selected", "unchanged", "declined", "parked"})
_WEIGHTS: Mapping[Event, int] = {
    "replayed": 0,
    "reading": 1,
    "parked": 2,
    "declined": 3,
    "incomplete": 3,
    "read": 3,
    "reported": 4,
}
"""What counts of the events of one reading; of equals the first."""
_EVENTS = frozenset(get_args(Event))


@dataclass(frozen=True)
class Outcome:
    """Where a study stands, and why."""

    state: State
    reason: str = ""
    at: float | None = None
    """When it came to this end (Unix seconds); None while it is on its way."""


@dataclass(frozen=True)
class Record:
    """All that the folder of one study says."""

    folder: str
    objects: Mapping[str, float]
    """Digest of each stored object -> when it first became durable (Unix seconds)."""
    events: tuple[Mapping[str, Any], ...]
    delivered: Mapping[str, Mapping[str, float]]
    """Destination -> name of each acknowledged result -> when."""
    came: float
    """When an object last came, be it one that was there already (Unix seconds)."""

    @cached_property
    def undecided(self) -> frozenset[str]:
        """Digests of the objects that no decision of the keeper has looked at since the last replay."""
        considered: set[str] = set()
        for event in self.events:
            if event["event"] == "replayed" and event.get("stage") == "gather":
                considered.clear()
            considered.update(event.get("objects", ()))
        return frozenset(self.objects) - considered

    @cached_property
    def declined(self) -> Mapping[str, str]:
        """Digest of each object that is here and not for us -> why, as the keeper judged it last."""
        reasons: dict[str, str] = {}
        for event in self.events:
            for digest in event.get("objects", ()):
                reasons.pop(digest, None)
            reasons.update(event.get("declined", {}))
        return {digest: reason for digest, reason in reasons.items() if digest in self.objects}

    @cached_property
    def readies(self) -> tuple[StudyReady, ...]:
        """Every revision that was selected, in order."""
        first: dict[int, StudyReady] = {}
        for event in self.events:
            if event["event"] == "selected":
                ready = ParseDict(event["ready"], StudyReady(), ignore_unknown_fields=True)
                first.setdefault(ready.revision, ready)
        return tuple(first[revision] for revision in sorted(first))

    @cached_property
    def deliveries(self) -> tuple[ResultReady, ...]:
        """What each destination gets, over all revisions."""
        first: dict[tuple[int, str], ResultReady] = {}
        for event in self.events:
            if event["event"] == "reported":
                for delivery in event["deliveries"]:
                    message = ParseDict(delivery, ResultReady(), ignore_unknown_fields=True)
                    first.setdefault((message.revision, message.destination), message)
        return tuple(first.values())

    @cached_property
    def is_probe(self) -> bool:
        """Tell whether the probe sent it: it counts for nobody, and is forgotten soon."""
        return any(event["event"] == "selected" and event["ready"].get("probe", False) for event in self.events)

    @property
    def made(self) -> frozenset[str]:
        """SOP Instance UIDs of the results we made for this study."""
        return frozenset(result.sop_instance_uid for delivery in self.deliveries for result in delivery.results)

    def undelivered(self, delivery: ResultReady) -> list[str]:
        """Return the names of the results that `delivery.destination` has not acknowledged."""
        acknowledged = self.delivered.get(delivery.destination, {})
        return [result.name for result in delivery.results if result.name not in acknowledged]

    @property
    def destinations(self) -> tuple[str, ...]:
        """Names of the destinations that get results of this study, whatever the revision."""
        return tuple(sorted({delivery.destination for delivery in self.deliveries}))

    def parked_at(self, destination: str) -> str | None:
        """Return why delivery to `destination` is parked, or None."""
        event = self._parking(destination)
        return event["reason"] if event else None

    def destination_state(self, destination: str) -> State:
        """Return `delivering`, `delivered` or `parked` for one destination."""
        pending = [d for d in self.deliveries if d.destination == destination and self.undelivered(d)]
        if not pending:
            return "delivered"
        return "delivering" if self.parked_at(destination) is None else "parked"

    @cached_property
    def parked(self) -> tuple[Mapping[str, Any], ...]:
        """The `parked` events that hold for this study now: of gathering, of reading, and one a destination.

        Noted again as `replayed`, with the same stage, destination and revision, each leads back to its work.
        """
        deciding = [] if self.undecided else [self._decision, self._decision and self._turn_of_reading(self._decision)]
        sending = [self._parking(name) for name in self.destinations if self.destination_state(name) == "parked"]
        return tuple(event for event in (*deciding, *sending) if event and event["event"] == "parked")

    def awaits_reading(self, revision: int) -> bool:
        """Tell whether `revision` is the one to read now; objects that nobody has decided about do not hold it up."""
        decision = self._decision
        if decision is None or decision.get("revision") != revision:
            return False
        return self._outcome_of_reading(decision).state in ("queued", "reading")

    @cached_property
    def outcome(self) -> Outcome:
        """Fold the record into one state."""
        decision = self._decision
        if self.undecided or decision is None:
            return Outcome("receiving")
        if decision["event"] == "declined":
            return Outcome("declined", decision["reason"], decision["at"])
        if decision["event"] == "parked":
            return Outcome("parked", decision["reason"], decision["at"])
        return self._outcome_of_reading(decision)

    @cached_property
    def _decision(self) -> Mapping[str, Any] | None:
        """The keeper's decision that holds: the latest, or what it left unchanged."""
        latest = self._latest(lambda event: event["event"] in _DECISIONS and "objects" in event)
        if latest and latest["event"] == "unchanged":
            return self._latest(lambda event: event["event"] == "selected")
        return latest

    def _outcome_of_reading(self, decision: Mapping[str, Any]) -> Outcome:
        turn = self._turn_of_reading(decision)
        if turn is None or turn["event"] == "replayed":
            return Outcome("queued")
        if turn["event"] == "reading":
            return Outcome("reading")
        if turn["event"] == "reported":
            return self._outcome_of_sending()
        return Outcome(turn["event"], turn["reason"], turn["at"])

    def _turn_of_reading(self, decision: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what counts of the reading of the revision that `decision` selected; None before it began.

        Two routers may read at once, after a lease ran out. Results that were written count whatever the other
        one says, an end counts more than a failure to reach one, and the first of equals counts.
        """
        if decision["event"] != "selected":
            return None
        turns: list[Mapping[str, Any]] = []
        for event in self.events:
            if (
                event.get("revision") == decision["revision"]
                and event.get("stage") != "send"
                and "objects" not in event
            ):
                turns = [event] if event["event"] == "replayed" else [*turns, event]
        return max(turns, key=lambda event: _WEIGHTS[event["event"]], default=None)

    def _outcome_of_sending(self) -> Outcome:
        states = {destination: self.destination_state(destination) for destination in self.destinations}
        if "delivering" in states.values():
            return Outcome("delivering")
        if "parked" in states.values():
            parked = [event for event in self.parked if event["stage"] == "send"]
            reasons = [event["reason"] for event in parked]
            return Outcome("parked", " ".join(reasons), max(event["at"] for event in parked))
        acknowledged = [at for results in self.delivered.values() for at in results.values()]
        return Outcome("delivered", f"sent to {', '.join(states)}", max(acknowledged))

    def _parking(self, destination: str) -> Mapping[str, Any] | None:
        """Return the event that parks delivery to `destination`, unless it was replayed since."""
        latest = self._latest(lambda event: event.get("stage") == "send" and event.get("destination") == destination)
        return latest if latest and latest["event"] == "parked" else None

    def _latest(self, matches: Any) -> Mapping[str, Any] | None:
        return next((event for event in reversed(self.events) if matches(event)), None)


def read_record(store: Store, folder: str) -> Record:
    """Read the record of one study; lines torn by a crash are passed over."""
    study = store.study(folder)
    came = _changed_at(study / "objects")  # first: what comes while we read is to look new
    return Record(
        folder=folder,
        objects={path.stem: path.stat().st_mtime for path in _files(study / "objects", ".dcm")},
        events=tuple(_events(study / "events.jsonl")),
        delivered={
            destination.name: {marker.stem: _acknowledged_at(marker) for marker in _files(destination, ".json")}
            for destination in _folders(study / "delivered")
        },
        came=came,
    )


def read_findings(store: Store, folder: str, revision: int) -> tuple[Finding, ...]:
    """Read what each model found on one revision of a study, ordered by model name."""
    paths = sorted(_files(store.study(folder) / "findings", ".json"))
    wanted = [path for path in paths if path.name.startswith(f"r{revision}-")]
    return tuple(ParseDict(json.loads(path.read_bytes()), Finding(), ignore_unknown_fields=True) for path in wanted)


def work_key(folder: str, revision: int) -> str:
    """Return the key under which one revision of one study is queued."""
    return f"{folder}:r{revision}"


def study_of(key: str) -> str:
    """Return the folder of the study that a queued piece of work is about."""
    return key.partition(":")[0]


def finding_path(store: Store, finding: Finding) -> Path:
    """Return where a finding is written once."""
    return store.study(finding.study) / "findings" / f"r{finding.revision}-{finding.model}.json"


def result_path(store: Store, folder: str, name: str) -> Path:
    """Return where an encoded result is written once."""
    return store.study(folder) / "results" / f"{name}.dcm"


def marker_path(store: Store, folder: str, destination: str, name: str) -> Path:
    """Return where it is written that `destination` acknowledged the result called `name`."""
    return store.study(folder) / "delivered" / destination / f"{name}.json"


def note(store: Store, folder: str, event: Event, **facts: Any) -> None:
    """Append one event to a study's record; protobuf messages among `facts` become JSON objects."""
    line = {"at": time.time(), "event": event} | {name: _plain(value) for name, value in facts.items()}
    store.append_line(store.study(folder) / "events.jsonl", json.dumps(line).encode())


def as_json(message: Message) -> bytes:
    """Return a contract message as the JSON that lies on disk."""
    return json.dumps(_plain(message), indent=1).encode()


@contextmanager
def exclusive(store: Store, folder: str) -> Iterator[None]:
    """Let one process at a time decide about a study, also when two keepers believe to be the active one.

    Raises:
        Unavailable: another one does; the other studies go on.
    """
    handle = os.open(store.study(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        hold(handle, fcntl.LOCK_EX, "Another keeper decides about this study.")
        yield
    finally:
        os.close(handle)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return MessageToDict(value, preserving_proto_field_name=True)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def _events(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") in _EVENTS:
            yield event


def _files(folder: Path, suffix: str) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix == suffix] if folder.is_dir() else []


def _changed_at(folder: Path) -> float:
    return folder.stat().st_mtime if folder.is_dir() else 0.0


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _acknowledged_at(marker: Path) -> float:
    return float(json.loads(marker.read_bytes())["at"])
