"""A synthesizer that is killed in the middle of a large batch."""

from functools import partial
from pathlib import Path

from tests.graphs import generator_folder
from tests.services import SECONDS_TO_START, is_ready
from tests.synthesis import ask, finished, generate, has_made, require_each_once, started
from tests.waiting import wait_for


def test_a_kill_in_the_middle_costs_no_scan(tmp_path: Path) -> None:
    """kill -9 in the middle of 2,000 scans, twice: the finished archive has each of them once, and they all differ."""
    generator_folder(tmp_path / "models")
    batch = ""
    for least in (200, 500):
        with started(tmp_path / "models") as (client, process):
            wait_for(lambda: is_ready(client), SECONDS_TO_START)
            batch = batch or ask(client, count=2000, seed=11, format="npz", counts=150_000)
            wait_for(partial(has_made, client, batch, least), 60)
            process.kill()
            process.wait()
    with started(tmp_path / "models") as (client, _):
        assert has_made(client, batch, 500)
        assert not has_made(client, batch, 2000)
        archive = finished(client, batch)
        again = generate(client, count=3, seed=11, format="npz", counts=150_000)
    require_each_once(archive, 2000, again)
