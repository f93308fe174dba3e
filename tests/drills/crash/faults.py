"""The faults of the drill, and the order in which they strike."""

import random
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from tests.drills.crash.installation import Installation
from tests.drills.crash.sabotage.named_points import POINTS, Point
from tests.waiting import wait_for

_FIRES_WITHIN = 60.0


@dataclass(frozen=True)
class Fault:
    """Something that kills one process (or, of the supervisor, all)."""

    victim: str
    name: str
    strike: Callable[[Installation], None]


_TURNS = (
    "listener", "router", "sender", "keeper", "listener", "classifier", "Redis", "router", "sender", "listener",
    "decoder", "receiver", "keeper", "router", "sender", "listener", "classifier", "router", "supervisor",
)  # fmt: skip
"""Whose turn it is, round and round: `up` pauses longer before what died young, so nobody twice in a row."""


def faults(seed: int, only: str = "") -> Iterator[Fault]:
    """Yield faults without end: each victim in its turns, its faults shuffled, none again before all had their turn.

    `only` leaves those out that do not have it in their name.
    """
    chance = random.Random(seed)
    decks: dict[str, deque[Fault]] = {victim: deque() for victim in _TURNS}
    while True:
        for victim in _TURNS:
            if not decks[victim]:
                decks[victim].extend(_shuffled(_faults_of(victim, chance), chance))
            fault = decks[victim].popleft()
            if only in fault.name:
                yield fault


def _shuffled(faults: list[Fault], chance: random.Random) -> list[Fault]:
    return chance.sample(faults, len(faults))


def _faults_of(victim: str, chance: random.Random) -> list[Fault]:
    found = [Fault(victim, "at a random moment", _at_random(victim, chance.uniform(0, 0.5))) for _ in range(3)]
    if victim == "Redis":
        found.append(Fault(victim, "with its data deleted", kill_redis_and_its_data))
    if victim == "classifier":
        found.append(Fault(victim, "its worker, at a random moment", _at_random("worker", chance.uniform(0, 0.5))))
    for point in POINTS:
        if point.role == victim:
            found.append(Fault(victim, point.name, _at_point(point, "")))
            if victim not in ("decoder", "classifier"):
                found.append(Fault(victim, f"{point.name}, power cut", _at_point(point, "cut")))
    return found


def _at_random(victim: str, after: float) -> Callable[[Installation], None]:
    def strike(installation: Installation) -> None:
        time.sleep(after)
        wait_for(lambda: _kill(_find(installation, victim)), seconds=30)

    return strike


_WORDS = {
    "listener": "scintiflow.receiver.listener",
    "receiver": "-m scintiflow.receiver",
    "keeper": "-m scintiflow.keeper",
    "router": "-m scintiflow.router",
    "decoder": "scintiflow.decode.child",
    "classifier": "-m scintiflow.classifier",
    "worker": "_bentoml_impl.worker",
    "sender": "-m scintiflow.sender",
    "Redis": "redis-server",
}


def _find(installation: Installation, victim: str) -> psutil.Process | None:
    if victim == "supervisor":
        return psutil.Process(installation.stack.process.pid)
    found = sorted(installation.stack.running(_WORDS[victim]), key=lambda process: process.create_time())
    return found[0] if found else None


def _kill(process: psutil.Process | None) -> bool:
    """Tell whether it was there to be killed."""
    if process is None:
        return False
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True


def _at_point(point: Point, order: str) -> Callable[[Installation], None]:
    def strike(installation: Installation) -> None:
        sabotage = installation.folder / "sabotage"
        fired = sabotage / "fired" / point.name
        fired.unlink(missing_ok=True)
        draft = sabotage / "order"
        draft.write_text(order)
        armed = draft.rename(sabotage / "armed" / point.name)
        try:
            wait_for(fired.exists, _FIRES_WITHIN)
        finally:
            armed.unlink(missing_ok=True)

    return strike


def kill_redis_and_its_data(installation: Installation) -> None:
    """Kill -9 of Redis with everything it had on disk."""
    server = wait_for(lambda: _find(installation, "Redis"), seconds=20)
    server.suspend()
    for path in (installation.data / "redis").iterdir():
        if not path.is_socket():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    server.kill()
