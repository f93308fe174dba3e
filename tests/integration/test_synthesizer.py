"""The synthesizer as a client meets it: a real server on its own DATA, real archives over HTTP, real signals."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from tests.graphs import generator_folder
from tests.services import SECONDS_TO_START, is_ready, service
from tests.waiting import wait_for

started = partial(service, "synthesizer", minimum_free_bytes="0")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A synthesizer whose generator draws a blob on a body."""
    models = tmp_path_factory.mktemp("synthesizer") / "models"
    generator_folder(models)
    with started(models) as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        yield client


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


def finished(client: httpx.Client, batch: str) -> dict[str, bytes]:
    """Wait for a batch; return the members of its archive."""
    wait_for(lambda: client.get(batch).json()["state"] == "done", 120, every=0.1)
    return members(client.get(f"{batch}/archive").content)


def test_a_few_scans_come_at_once_with_their_labels(client: httpx.Client) -> None:
    """Five scans come as five DICOM files, and a line of labels.csv and an entry of labels.json for each."""
    archive = generate(client, count=5, seed=3)
    assert list(scans_in(archive)) == [f"scans/{index:06}.dcm" for index in range(5)]
    labels = json.loads(archive["labels.json"])
    lines = list(csv.DictReader(io.StringIO(archive["labels.csv"].decode())))
    assert [line["study"] for line in lines] == list(scans_in(archive))
    for index, (label, line) in enumerate(zip(labels, lines, strict=True)):
        assert (label["index"], label["seed"], label["label"]) == (index, 3, "bone_metastases")
        assert (label["synthetic"], label["evidence"]) == (True, "simulated patients")
        assert label["load"] > 0
        assert (line["metastasis"], line["cardiac"]) == ("1", "0")
        assert line["digest"] == label["digest"]
