"""`scintiflow synthesize`, as it is typed, with a real synthesizer."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread

from scintiflow.config import PORTS
from tests.graphs import generator_folder
from tests.ports import free_offset
from tests.services import SECONDS_TO_START, is_ready, service
from tests.stack import SCINTIFLOW
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A synthesizer whose generator draws a blob on a body."""
    models = tmp_path_factory.mktemp("synthesize") / "models"
    generator_folder(models)
    with service("synthesizer", models, minimum_free_bytes="0", shard="8") as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        yield client


def command(client: httpx.Client, *arguments: str | Path) -> list[str]:
    """Return the command line that asks this synthesizer."""
    offset = (client.base_url.port or 0) - PORTS["synthesizer"]
    return [SCINTIFLOW, "synthesize", *map(str, arguments), "--port-offset", str(offset)]


def run(client: httpx.Client, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(command(client, *arguments), capture_output=True, text=True, check=False, timeout=180)


def test_a_few_scans_are_unpacked(client: httpx.Client, tmp_path: Path) -> None:
    """Three scans lie in the folder with their labels, as they were asked for, and the seed is told."""
    wanted = ("--label", "both", "--count", "3", "--seed", "5", "--load", "2.5", "--perugini", "3")
    ran = run(client, *wanted, "--counts", "300000", "--sex", "F", "--out", tmp_path / "scans")
    assert ran.returncode == 0, ran.stderr
    assert "3 scans of seed 5" in ran.stderr
    labels = json.loads((tmp_path / "scans" / "labels.json").read_text())
    assert {(each["load"], each["perugini"], each["sex"], each["counts"]) for each in labels} == {
        (2.5, 3, "F", 300_000)
    }
    files = sorted((tmp_path / "scans" / "scans").iterdir())
    assert [json.loads(dcmread(file).ImageComments) for file in files] == labels
    assert (tmp_path / "scans" / "labels.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scans"]


def test_many_scans_come_through_a_batch(client: httpx.Client, tmp_path: Path) -> None:
    """More than are answered at once are made as a batch, unpacked, and removed from the synthesizer."""
    ran = run(client, "--label", "normal", "--count", "70", "--format", "npz", "--out", tmp_path / "scans")
    assert ran.returncode == 0, ran.stderr
    assert len(list((tmp_path / "scans" / "scans").iterdir())) == 70
    assert client.get("/v1/batches").json() == []


def test_ctrl_c_says_how_to_go_on(client: httpx.Client, tmp_path: Path) -> None:
    """Interrupted, it ends without a traceback, and names the commands that fetch and cancel what goes on."""
    asked = command(client, "--label", "normal", "--count", "1000", "--out", tmp_path / "scans")
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as process:
        wait_for(
            lambda: any(batch["state"] == "running" and batch["done"] for batch in client.get("/v1/batches").json()), 60
        )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    (archive,) = re.findall(r"curl -o scans.zip (\S+)", said)
    assert client.get(archive).status_code == 409
    (batch,) = re.findall(r"curl -X DELETE (\S+)", said)
    assert client.delete(batch).status_code == 204
    assert not (tmp_path / "scans").exists()


def test_a_service_that_restarts_is_waited_for(tmp_path: Path) -> None:
    """kill -9 of the service meanwhile, and a new one on the same DATA: all scans come, each once."""
    generator_folder(tmp_path / "models")
    wanted = ("--label", "normal", "--count", "400", "--format", "npz", "--counts", "150000")
    with service("synthesizer", tmp_path / "models", minimum_free_bytes="0") as (client, process):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        asked = command(client, *wanted, "--out", tmp_path / "scans")
        with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as typed:
            wait_for(lambda: any(batch["done"] for batch in client.get("/v1/batches").json()), 60)
            process.kill()
            process.wait()
            offset = (client.base_url.port or 0) - PORTS["synthesizer"]
            with service("synthesizer", tmp_path / "models", minimum_free_bytes="0", offset=offset):
                _, said = typed.communicate(timeout=120)
    assert typed.returncode == 0, said
    assert len(list((tmp_path / "scans" / "scans").iterdir())) == 400


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--label", "sick", "--count", "1"), "one of normal, bone_metastases, cardiac_uptake, both"),
        (("--label", "normal", "--count", "100", "--counts", "5"), "150000 to 3000000"),
        (("--label", "normal", "--count", "1", "--load", "2"), "only scans with metastases have one"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    client: httpx.Client, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """The synthesizer's own sentence comes out, and the command fails."""
    ran = run(client, *arguments, "--out", tmp_path / "scans")
    assert ran.returncode == 1
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(client: httpx.Client, tmp_path: Path) -> None:
    """Scans are never mixed with what is there."""
    (tmp_path / "labels.csv").write_text("mine")
    ran = run(client, "--label", "normal", "--count", "1", "--out", tmp_path)
    assert (ran.returncode, "name another folder with --out" in ran.stderr) == (1, True)
    assert (tmp_path / "labels.csv").read_text() == "mine"


def test_without_a_synthesizer_the_way_to_one_is_told(tmp_path: Path) -> None:
    """Where nothing answers, the sentence says what to start and what it needs."""
    asked = [SCINTIFLOW, "synthesize", "--label", "normal", "--count", "1", "--out", str(tmp_path / "scans")]
    environment = os.environ | {"SCINTIFLOW_PORT_OFFSET": str(free_offset())}
    ran = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 1
    assert "scintiflow up" in ran.stderr
    assert "generator" in ran.stderr
