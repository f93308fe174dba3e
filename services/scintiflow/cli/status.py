"""`scintiflow status`: is everything alive, what waits, what needs a person, what answers."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from scintiflow.cli.deployment import (
    ConfigOption,
    DataOption,
    JsonOption,
    OffsetOption,
    configuration,
    deployment,
)
from scintiflow.config import Deployment
from scintiflow.records import Record, read_record
from scintiflow.store import Store
from scintiflow.stream import Stream, connect


@dataclass(frozen=True)
class Health:
    """Whether one process is there, and can do its work; if not, why."""

    name: str
    alive: bool
    ready: bool
    reason: str | None


@dataclass(frozen=True)
class Queue:
    """What one stream holds: all of it, what is in somebody's hands, and how many studies are parked there."""

    name: str
    depth: int | None
    pending: int | None
    oldest_seconds: float | None
    parked: int


def status(
    data: DataOption = None, config: ConfigOption = None, port_offset: OffsetOption = None, as_json: JsonOption = False
) -> None:
    """Show the health of each process, what waits in the queues, what is parked, and which engines answer."""
    installation = deployment(data=data, config=config, port_offset=port_offset)
    found = look(installation)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _show(found, Console())


def look(installation: Deployment) -> dict[str, Any]:
    """Return everything `status --json` says; whatever is away is said to be away."""
    store = Store(installation.data)
    names = configuration(installation).destination
    records = [read_record(store, folder) for folder in store.studies()]
    streams = {"events": "gather", "ready": "read", **{f"results:{name}": f"send {name}" for name in names}}
    queues = [_queue(installation, stream, _parked(records, place)) for stream, place in streams.items()]
    healths = [_redis(installation), *(_health(*each) for each in installation.http_ports.items())]
    return {
        "processes": [asdict(health) for health in healths],
        "streams": [asdict(queue) for queue in queues],
        "engines": _engines(installation),
        "disk": _disk(installation),
    }


def _health(name: str, port: int) -> Health:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2)
    except httpx.ConnectError:
        return Health(name, False, False, f"Nothing answers on port {port}; start it with `scintiflow up`.")
    except httpx.HTTPError:
        return Health(name, True, False, f"It listens on port {port} but does not answer; see its log.")
    if answer.status_code == httpx.codes.OK:
        return Health(name, True, True, None)
    try:
        reason = str(answer.json()["reason"])
    except (ValueError, KeyError, TypeError):
        reason = f"Port {port} answers with HTTP {answer.status_code}; another program may have taken it."
    return Health(name, True, False, reason)


def _redis(installation: Deployment) -> Health:
    trouble = Stream(connect(installation.redis()), "ready").trouble()
    return Health("redis", trouble is None, trouble is None, trouble)


def _queue(installation: Deployment, name: str, parked: int) -> Queue:
    try:
        depth = Stream(connect(installation.redis()), name).depth()
    except RedisError:
        return Queue(name, None, None, None, parked)
    waiting = depth.waiting + depth.leased + depth.later
    return Queue(name, waiting, depth.leased, round(depth.oldest_seconds, 1), parked)


def _parked(records: Iterable[Record], place: str) -> int:
    """Count the studies parked at a place: a stage, with its destination when it is sending."""
    places = [[" ".join(filter(None, (e["stage"], e.get("destination")))) for e in record.parked] for record in records]
    return sum(place in found for found in places)


def _engines(installation: Deployment) -> list[dict[str, Any]]:
    """Ask the classifier what really runs; nothing while it is away."""
    url = f"http://127.0.0.1:{installation.port('classifier')}/v2"
    try:
        with httpx.Client(timeout=2) as classifier:
            index = classifier.post(f"{url}/repository/index", content=b"{}").raise_for_status().json()
            names = sorted(entry["name"] for entry in index)
            facts = {name: classifier.get(f"{url}/models/{name}").json().get("parameters", {}) for name in names}
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [
        {"model": name, **{fact: facts[name].get(fact) for fact in ("engine", "precision", "device")}} for name in names
    ]


def _disk(installation: Deployment) -> dict[str, int | None]:
    if not installation.data.exists():
        return {"used_bytes": None, "free_bytes": None}
    usage = shutil.disk_usage(installation.data)
    return {"used_bytes": usage.used, "free_bytes": usage.free}


def _show(found: dict[str, Any], screen: Console) -> None:
    processes = Table("process", "health", title="Processes", title_justify="left")
    for health in found["processes"]:
        how = "[green]ready[/]" if health["ready"] else f"[{'yellow' if health['alive'] else 'red'}]{health['reason']}"
        processes.add_row(health["name"], how)
    queues = Table("queue", "waiting", "in work", "oldest", "parked", title="Queues", title_justify="left")
    for queue in found["streams"]:
        oldest = "" if not queue["oldest_seconds"] else f"{queue['oldest_seconds']:.0f} s"
        parked = f"[red]{queue['parked']}[/]" if queue["parked"] else "0"
        queues.add_row(queue["name"], _number(queue["depth"]), _number(queue["pending"]), oldest, parked)
    engines = Table("model", "engine", "precision", "device", title="Engines", title_justify="left")
    for engine in found["engines"]:
        engines.add_row(*(str(engine[fact] or "?") for fact in ("model", "engine", "precision", "device")))
    screen.print(processes, queues, engines)
    if found["disk"]["free_bytes"] is not None:
        screen.print(f"Disk under DATA: {found['disk']['free_bytes'] / 2**30:.1f} GiB free")
    if any(queue["parked"] for queue in found["streams"]):
        screen.print("Parked work needs a person: see [cyan]scintiflow parked list[/].")


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)
