"""The synthesizer as a client meets it: a real server on its own DATA, real archives over HTTP, real signals."""

import csv
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.graphs import blob_graph, generator_folder, spoil_golden
from tests.ports import is_free
from tests.services import SECONDS_TO_START, is_gone, is_ready, metric
from tests.synthesis import ask, finished, generate, scans_in, started
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A synthesizer whose generator draws a blob on a body."""
    models = tmp_path_factory.mktemp("synthesizer") / "models"
    generator_folder(models)
    with started(models) as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        yield client


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


def test_the_same_request_makes_the_same_scans_in_any_company(client: httpx.Client) -> None:
    """Six scans alone, fewer of them, beside other requests, and in a batch are the same files."""
    alone = scans_in(generate(client, count=6, seed=9, format="npz"))
    assert scans_in(generate(client, count=2, seed=9, format="npz")).items() <= alone.items()
    with ThreadPoolExecutor() as crowd:
        among = [crowd.submit(generate, client, count=count, seed=9, format="npz") for count in (6, 3, 5)]
        beside = ask(client, count=70, seed=9, format="npz")
        assert all(scans_in(one.result()).items() <= alone.items() for one in among)
    batch = finished(client, beside)
    assert alone.items() <= scans_in(batch).items()
    assert len(set(scans_in(batch).values())) == 70


def test_a_seed_is_drawn_once_and_told(client: httpx.Client) -> None:
    """Without a seed, two requests are different scans; the seed in the labels makes them again."""
    first, second = generate(client, count=2, format="npz"), generate(client, count=2, format="npz")
    assert not set(scans_in(first).values()) & set(scans_in(second).values())
    seeds = {labels["seed"] for labels in json.loads(first["labels.json"])}
    assert len(seeds) == 1
    assert generate(client, count=2, format="npz", seed=seeds.pop()) == first


def test_a_batch_says_how_far_it_is(client: httpx.Client) -> None:
    """A batch is listed with state, progress and what was asked for; its archive is there when it is done."""
    batch = ask(client, count=100, seed=1, load=2.5)
    early = client.get(f"{batch}/archive")
    said = client.get(batch).json()
    assert early.status_code == 409 or said["state"] == "done"
    assert said["id"] in [one["id"] for one in client.get("/v1/batches").json()]
    assert said["request"] == {
        "label": "bone_metastases", "count": 100, "seed": 1, "load": 2.5, "counts": 600_000, "format": "dicom",
    }  # fmt: skip
    wait_for(lambda: client.get(batch).json()["scans_a_second"], 60)
    archive = finished(client, batch)
    assert len(scans_in(archive)) == 100
    assert {labels["load"] for labels in json.loads(archive["labels.json"])} == {2.5}
    said = client.get(batch).json()
    assert (said["done"], said["reason"], said["archive"]) == (100, None, f"{batch}/archive")
    assert said["expires_at"] > time.time()


def test_a_large_batch_holds_up_neither_requests_nor_small_batches(client: httpx.Client) -> None:
    """While 1,000 scans are made, a single one comes at once, and a small batch is done long before."""
    large = ask(client, count=1000, format="npz", counts=150_000)
    wait_for(lambda: client.get(large).json()["done"], 60)
    generate(client, count=1)
    small = ask(client, count=5, format="npz")
    assert len(scans_in(finished(client, small))) == 5
    said = client.get(large).json()
    assert said["state"] == "running"
    assert said["done"] < 900
    assert said["seconds_left"] > 0
    assert client.delete(large).status_code == 204


def test_a_stream_of_requests_does_not_hold_up_a_batch(client: httpx.Client) -> None:
    """While four clients ask for scans without end, a batch is made all the same."""
    over = threading.Event()

    def insist() -> int:
        asked = 0
        while not over.is_set():
            generate(client, count=4, format="npz", counts=150_000)
            asked += 1
        return asked

    with ThreadPoolExecutor(4) as crowd:
        asked = [crowd.submit(insist) for _ in range(4)]
        try:
            assert len(scans_in(finished(client, ask(client, count=64, format="npz")))) == 64
        finally:
            over.set()
        assert all(one.result() for one in asked)


def test_a_removed_batch_is_gone(client: httpx.Client) -> None:
    """A batch that is cancelled while it is made is not there any more, and nothing of it is on the disk."""
    batch = ask(client, count=500, format="npz")
    wait_for(lambda: client.get(batch).json()["state"] == "running", 60)
    assert client.delete(batch).status_code == 204
    for method, path in (("GET", batch), ("GET", f"{batch}/archive"), ("DELETE", batch)):
        assert client.request(method, path).status_code == 404
    assert metric(client, "scintiflow_synthesizer_batches") == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/v1/generate", {"label": "normal", "count": 65}, 422, "count cannot be 65; allowed: a whole number"),
        ("/v1/batches", {"label": "normal", "count": 0}, 422, "allowed: a whole number from 1 to 1000000."),
        ("/v1/generate", {"label": "normal", "count": 1, "counts": 1}, 422, "150000 to 3000000"),
        ("/v1/generate", {"label": "normal", "count": 1, "load": 1}, 422, "only scans with metastases"),
        ("/v1/batches", {"label": "normal", "count": 100_000}, 413, "as much of the disk as 65027 scans"),
        ("/v2/batches", {}, 404, "/openapi.json"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_a_sentence(
    client: httpx.Client, path: str, body: dict[str, Any], status: int, sentence: str
) -> None:
    """Whatever is wrong, the answer is JSON with a sentence that names the field and what is allowed."""
    response = client.post(path, json=body)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert sentence in response.json()["error"]


def test_openapi_describes_what_there_is(client: httpx.Client) -> None:
    """Every documented path exists, its examples are answered, and the ranges are those of the generator."""
    document = client.get("/openapi.json").json()
    few = document["components"]["schemas"]["Few"]["properties"]
    assert few["counts"]["description"] == "mean counts of a view, 150000 to 3000000; 600000 are usual"
    for path, calls in document["paths"].items():
        for method in set(calls) & {"get", "post", "delete"}:
            named = path.replace("/v1/batches/{id}", ask(client, count=1)) if "{id}" in path else path
            assert client.request(method, named, json={}).status_code not in (404, 405), (method, path)
    for path, schema in (("/v1/generate", "Few"), ("/v1/batches", "Many")):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith(schema)
        for example in content["examples"].values():
            response = client.post(path, json=example["value"])
            assert response.status_code != 422, response.text
            if response.status_code == 202:
                assert client.delete(response.headers["location"]).status_code == 204
    wait_for(lambda: metric(client, "scintiflow_synthesizer_batches") == 0)


def test_metrics_count_work_and_ignore_strange_paths(client: httpx.Client) -> None:
    """Requests, scans and engine batches are counted; a path that a stranger invents never becomes a label."""
    answered = metric(client, "scintiflow_synthesizer_requests_total", call="generate", outcome="answered")
    scans = metric(client, "scintiflow_synthesizer_scans_total", label="normal", lane="interactive")
    rows = metric(client, "scintiflow_synthesizer_batch_rows_sum")
    generate(client, label="normal", count=3)
    client.get("/patient/Doe^Jane")
    text = client.get("/metrics").text
    assert "Doe" not in text
    assert "bentoml_" not in text
    assert metric(client, "scintiflow_synthesizer_requests_total", call="generate", outcome="answered") == answered + 1
    assert metric(client, "scintiflow_synthesizer_scans_total", label="normal", lane="interactive") == scans + 3
    # What was cancelled just before may be in the engine still.
    assert metric(client, "scintiflow_synthesizer_batch_rows_sum") >= rows + 3
    assert metric(client, "scintiflow_synthesizer_golden_gate") == 1
    assert metric(client, "scintiflow_synthesizer_engine_info", precision="f32") == 1


def test_a_batch_expires(tmp_path: Path) -> None:
    """A finished batch is removed when its days are over."""
    generator_folder(tmp_path / "models")
    with started(tmp_path / "models") as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        batch = ask(client, count=2)
        finished(client, batch)
    with started(tmp_path / "models", keep_days="0.000001") as (client, _):
        wait_for(lambda: client.get(batch).status_code == 404, 10)
    assert not (tmp_path / "data" / "synthesis" / batch.rpartition("/")[2]).exists()


def test_a_batch_of_another_generator_fails_with_the_reason(tmp_path: Path) -> None:
    """What another graph began is not mixed with what this one would make."""
    generator_folder(tmp_path / "models")
    with started(tmp_path / "models") as (client, process):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        batch = ask(client, count=1000, format="npz", counts=150_000)
        wait_for(lambda: client.get(batch).json()["done"], 60)
        process.kill()
        process.wait()
    graph = blob_graph()
    graph.doc_string = "another one"
    generator_folder(tmp_path / "models", graph=graph)
    with started(tmp_path / "models") as (client, _):
        said = wait_for(lambda: (now := client.get(batch).json())["state"] == "failed" and now, SECONDS_TO_START)
        assert "another generator" in said["reason"]
        assert client.get(f"{batch}/archive").status_code == 409


def test_a_full_queue_says_when_to_ask_again(tmp_path: Path) -> None:
    """More scans or batches than may wait are answered with 429 and Retry-After, and taken again later."""
    generator_folder(tmp_path / "models")
    with (
        started(tmp_path / "models", maximum_waiting="64", maximum_batches="1") as (client, _),
        ThreadPoolExecutor() as crowd,
    ):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        batch = ask(client, count=2000, format="npz")
        second = client.post("/v1/batches", json={"label": "normal", "count": 1})
        asked = [crowd.submit(client.post, "/v1/generate", json={"label": "normal", "count": 40}) for _ in range(2)]
        put_off = [one for one in (second, *(one.result() for one in asked)) if one.status_code == 429]
        assert len(put_off) == 2
        assert all(int(one.headers["retry-after"]) > 0 and "again later" in one.json()["error"] for one in put_off)
        assert client.delete(batch).status_code == 204
        generate(client, count=40)
        ask(client, count=1)


def test_a_disk_without_room_is_told_before_any_work(tmp_path: Path) -> None:
    """A batch for which there is no room is answered with 507 and how many scans there is room for; nothing is kept."""
    generator_folder(tmp_path / "models")
    with started(tmp_path / "models", minimum_free_bytes=str(1 << 60)) as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        response = client.post("/v1/batches", json={"label": "normal", "count": 1})
        assert response.status_code == 507
        assert "room for 0 more scans" in response.json()["error"]
        assert client.get("/v1/batches").json() == []
        generate(client, count=1)


def test_a_generator_that_fails_its_golden_gate_makes_nothing(tmp_path: Path) -> None:
    """Wrong golden rates keep the service unready with the reason, and it takes no work."""
    spoil_golden(generator_folder(tmp_path / "models"), "rate")
    with started(tmp_path / "models") as (client, _):
        wait_for(lambda: "rate is off by" in client.get("/readyz").json()["reason"], SECONDS_TO_START)
        assert client.get("/readyz").status_code == 503
        for path in ("/v1/generate", "/v1/batches"):
            response = client.post(path, json={"label": "normal", "count": 1})
            assert response.status_code == 503
            assert "rate is off by" in response.json()["error"]
        assert metric(client, "scintiflow_synthesizer_golden_gate") == 0


def test_no_generator_is_not_ready_and_says_where_to_put_one(tmp_path: Path) -> None:
    """An empty models folder is named in the readiness answer."""
    (tmp_path / "models").mkdir()
    with started(tmp_path / "models") as (client, _):
        wait_for(lambda: str(tmp_path / "models" / "generator") in client.get("/readyz").json()["reason"])
        assert client.get("/readyz").status_code == 503


def test_a_stop_in_the_middle_of_work_is_quick_and_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM ends all processes within five seconds while a batch is made, and removes the server's home."""
    generator_folder(tmp_path / "models")
    with started(tmp_path / "models", drain_seconds="0") as (client, process):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        batch = ask(client, count=1000)
        wait_for(lambda: client.get(batch).json()["done"], 60)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        home = Path(family[-1].environ()["BENTOML_HOME"])
        process.terminate()
        assert process.wait(timeout=5) == 0
        wait_for(lambda: all(map(is_gone, family)), 1)
        assert not home.exists()


def test_a_stop_finishes_the_shards_in_hand(tmp_path: Path) -> None:
    """SIGTERM in the middle of a batch begins no new shard, and leaves none of those that were begun to others."""
    generator_folder(tmp_path / "models")
    with started(tmp_path / "models") as (client, process):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        batch = ask(client, count=2000, format="npz")
        wait_for(lambda: client.get(batch).json()["done"], 60)
        process.terminate()
        assert process.wait(timeout=25) == 0
    folder = tmp_path / "data" / "synthesis" / batch.rpartition("/")[2]
    assert not list(folder.glob("*.claim"))
    assert 0 < len(list(folder.glob("shards/*.zip"))) < 2000 // 32


def test_killing_the_supervisor_frees_the_port(tmp_path: Path) -> None:
    """After kill -9 of the parent no worker is left to hold the port or to say ready."""
    generator_folder(tmp_path / "models")
    with started(tmp_path / "models") as (client, process):
        workers = wait_for(lambda: psutil.Process(process.pid).children(recursive=True))
        process.kill()
        process.wait()
        wait_for(lambda: all(map(is_gone, workers)), 5)
        wait_for(lambda: is_free(client.base_url.port), 5)
