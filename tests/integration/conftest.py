"""Servers that integration tests own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from scintiflow.stream import connect
from tests.redis_server import redis_server


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A fresh Redis for one test."""
    folder: Path = tmp_path_factory.mktemp("redis")
    with redis_server(folder) as url:
        yield connect(url)
