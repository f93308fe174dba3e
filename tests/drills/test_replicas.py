"""Several synthesizers on one DATA, as clients meet them behind one name."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.graphs import generator_folder
from tests.services import SECONDS_TO_START, is_ready, metric
from tests.synthesis import ask, finished, generate, has_made, members, require_each_once, scans_in, started
from tests.waiting import wait_for

Pair = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One replica that makes scans, and one that cannot for want of a generator, with places for one batch."""
    folder = tmp_path_factory.mktemp("replicas")
    generator_folder(folder / "models")
    (folder / "none").mkdir()
    with (
        started(folder / "models", maximum_batches="1") as (maker, _),
        started(folder / "none", maximum_batches="1") as (other, _),
    ):
        wait_for(lambda: is_ready(maker), SECONDS_TO_START)
        yield maker, other


def folder_of(batch: str, folder: Path) -> Path:
    """Return where a batch is on the disk."""
    return folder / "data" / "synthesis" / batch.rpartition("/")[2]


def test_any_replica_answers_for_any_batch(pair: Pair) -> None:
    """A replica that makes nothing lists a batch, says how far it is and how fast, and gives out the same archive."""
    maker, other = pair
    batch = ask(maker, count=500, seed=2, format="npz")
    assert other.get(batch).json()["id"] in [one["id"] for one in other.get("/v1/batches").json()]
    wait_for(lambda: other.get(batch).json()["scans_a_second"], 60)
    archive = finished(other, batch)
    assert len(scans_in(archive)) == 500
    assert archive == members(maker.get(f"{batch}/archive").content)
    assert other.delete(batch).status_code == 204
    assert maker.get(batch).status_code == 404


def test_a_batch_that_is_cancelled_elsewhere_is_made_no_more(pair: Pair) -> None:
    """A cancel asked of a replica that does not work on a batch stops the one that does, which goes on with others."""
    maker, other = pair
    batch = ask(maker, count=2000, format="npz")
    wait_for(lambda: other.get(batch).json()["state"] == "running", 60)
    assert other.delete(batch).status_code == 204
    assert other.get(batch).status_code == 404
    wait_for(lambda: metric(maker, "scintiflow_synthesizer_batches") == 0)
    assert metric(maker, "scintiflow_synthesizer_scans_total", label="bone_metastases", lane="bulk") < 2000
    small = ask(maker, count=2)
    finished(maker, small)
    assert maker.delete(small).status_code == 204


def test_every_replica_counts_all_that_waits(pair: Pair) -> None:
    """Each replica tells all scans that wait; the sum over replicas would tell them twice."""
    maker, other = pair
    batch = ask(maker, count=2000, format="npz")
    wait_for(lambda: 0 < metric(other, "scintiflow_synthesizer_scans_left") <= 2000)
    assert metric(other, "scintiflow_synthesizer_batches") == metric(maker, "scintiflow_synthesizer_batches") == 1
    assert maker.delete(batch).status_code == 204
    wait_for(lambda: metric(other, "scintiflow_synthesizer_scans_left") == 0)


def test_replicas_share_a_batch_its_limits_and_its_end(tmp_path: Path) -> None:
    """Two replicas make the shards of one batch, none of them twice, and take on no more batches than one would."""
    generator_folder(tmp_path / "models")
    start = partial(started, tmp_path / "models", maximum_batches="1")
    with start() as (one, _), start() as (other, _):
        wait_for(lambda: is_ready(one) and is_ready(other), SECONDS_TO_START)
        batch = ask(one, count=800, seed=7, format="npz", counts=150_000)
        refused = other.post("/v1/batches", json={"label": "normal", "count": 1})
        assert refused.status_code == 429
        archive = finished(other, batch)
        made = [
            metric(each, "scintiflow_synthesizer_scans_total", label="bone_metastases", lane="bulk")
            for each in (one, other)
        ]
        assert sum(made) == 800
        assert all(made)
        assert archive == members(one.get(f"{batch}/archive").content)
        assert len(set(scans_in(archive).values())) == 800


def test_another_replica_finishes_what_a_killed_one_began(tmp_path: Path) -> None:
    """kill -9 of one of two in the middle of a batch: the other finishes it, with each scan once."""
    generator_folder(tmp_path / "models")
    with started(tmp_path / "models") as (one, process), started(tmp_path / "models") as (other, _):
        wait_for(lambda: is_ready(one) and is_ready(other), SECONDS_TO_START)
        batch = ask(one, count=800, seed=11, format="npz", counts=150_000)
        wait_for(partial(has_made, other, batch, 200), 60)
        process.kill()
        process.wait()
        assert not has_made(other, batch, 800)
        archive = finished(other, batch)
        again = generate(other, count=3, seed=11, format="npz", counts=150_000)
    require_each_once(archive, 800, again)
    assert not list(folder_of(batch, tmp_path).glob("*.claim"))
