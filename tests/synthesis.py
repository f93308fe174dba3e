"""What a client of the synthesizer does."""

import io
import json
import zipfile
from functools import partial
from typing import Any

import httpx

from tests.services import service
from tests.waiting import wait_for

started = partial(service, "synthesizer", minimum_free_bytes="0")


def generate(client: httpx.Client, **wanted: Any) -> dict[str, bytes]:
    """Ask for a few scans; return the members of the archive."""
    response = client.post("/v1/generate", json={"label": "bone_metastases", "count": 1} | wanted)
    assert response.status_code == 200, response.text
    return members(response.content)


def members(archive: bytes) -> dict[str, bytes]:
    """Read a ZIP whose members are sound, each once."""
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        assert read.testzip() is None
        assert len(set(read.namelist())) == len(read.namelist())
        return {name: read.read(name) for name in read.namelist()}


def scans_in(archive: dict[str, bytes]) -> dict[str, bytes]:
    """Return the scans of an archive by name."""
    return {name: data for name, data in archive.items() if name.startswith("scans/")}


def ask(client: httpx.Client, **wanted: Any) -> str:
    """Ask for a batch; return where it stands."""
    response = client.post("/v1/batches", json={"label": "bone_metastases"} | wanted)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/v1/batches/{response.json()['id']}"
    return response.headers["location"]


def has_made(client: httpx.Client, batch: str, least: int) -> bool:
    """Tell whether so many scans of a batch are on the disk."""
    return client.get(batch).json()["done"] >= least


def finished(client: httpx.Client, batch: str) -> dict[str, bytes]:
    """Wait for a batch; return the members of its archive."""
    wait_for(lambda: client.get(batch).json()["state"] == "done", 120, every=0.1)
    return members(client.get(f"{batch}/archive").content)


def require_each_once(archive: dict[str, bytes], count: int, again: dict[str, bytes]) -> None:
    """Fail unless an archive of NPZ holds each of so many scans once, in order, and those that were asked for again."""
    scans = scans_in(archive)
    assert list(scans) == [f"scans/{index:06}.npz" for index in range(count)]
    assert len(set(scans.values())) == count
    assert [labels["index"] for labels in json.loads(archive["labels.json"])] == list(range(count))
    assert scans_in(again).items() <= scans.items()
