"""From noise to files, on a real engine."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scintiflow.errors import Refused
from scintiflow.inference.batcher import Batcher
from scintiflow.inference.generator import open_generator
from scintiflow.inference.generator_manifest import load_generator
from scintiflow.synthesizer.archive import Entry
from scintiflow.synthesizer.guard import load_guard
from scintiflow.synthesizer.item import Item
from scintiflow.synthesizer.synthesize import Synthesis
from scintiflow.synthesizer.wanted import Wanted
from tests.graphs import LATENT, blob_graph, drawn, generator_folder, guard_against

WANTED = Wanted(label="both", count=8, format="npz")


def at_work(models: Path, ask: Callable[[Synthesis], Coroutine[Any, Any, list[Entry]]]) -> list[Entry]:
    """Open the generator in `models` and ask it for scans."""
    manifest = load_generator(models)
    generator = open_generator(manifest)

    async def scenario() -> list[Entry]:
        with ThreadPoolExecutor(2) as threads:
            async with Batcher(generator.run, maximum_rows=manifest.engine.rows, maximum_waiting=64) as batcher:
                return await ask(Synthesis(manifest, load_guard(manifest), batcher, generator.latent, threads, threads))

    return asyncio.run(scenario())


def of(*indices: int, seed: int = 1) -> Callable[[Synthesis], Coroutine[Any, Any, list[Entry]]]:
    """Ask for some scans of a request."""
    return lambda synthesis: synthesis.entries(WANTED, seed, indices, within=60, bulk=False)


def embedding(models: Path, item: Item) -> np.ndarray[Any, Any]:
    """What the generator for tests says of an item, [1, 16]."""
    manifest = load_generator(models)
    condition, known = manifest.encode(item.said(manifest))
    graph = blob_graph().SerializeToString()
    return drawn(graph, item.noise(LATENT)[None], condition[None], known[None])["embedding"]


def test_a_scan_does_not_depend_on_how_its_request_is_split(tmp_path: Path) -> None:
    """Eight scans together, in two parts, shuffled, and one by one are the same files and labels."""
    generator_folder(tmp_path)
    together = at_work(tmp_path, of(*range(8)))
    assert at_work(tmp_path, of(0, 1, 2)) + at_work(tmp_path, of(3, 4, 5, 6, 7)) == together
    shuffled = [5, 2, 7, 0, 1, 6, 3, 4]
    assert at_work(tmp_path, of(*shuffled)) == [together[index] for index in shuffled]
    assert [at_work(tmp_path, of(index))[0] for index in (0, 7)] == [together[0], together[7]]
    assert len({data for entry in together for data in entry.files.values()}) == 8


def test_another_seed_makes_other_scans(tmp_path: Path) -> None:
    """No scan of one seed is among those of another."""
    generator_folder(tmp_path)
    one, other = (at_work(tmp_path, of(*range(4), seed=seed)) for seed in (1, 2))
    assert not {data for entry in one for data in entry.files.values()} & {
        data for entry in other for data in entry.files.values()
    }


def test_a_copy_of_a_training_scan_is_drawn_again(tmp_path: Path) -> None:
    """Where a scan comes too close to one that was learnt from, it becomes another one, and its neighbours stay."""
    folder = generator_folder(tmp_path)
    before = at_work(tmp_path, of(0, 1, 2))
    guard_against(folder, embedding(tmp_path, Item(WANTED, 1, 1)))
    after = at_work(tmp_path, of(0, 1, 2))
    assert after[0] == before[0]
    assert after[1].files != before[1].files
    assert after[1].labels["index"] == 1
    assert after[2] == before[2]
    assert at_work(tmp_path, of(1)) == [after[1]]


def test_a_generator_that_only_copies_is_told_of(tmp_path: Path) -> None:
    """Where every draw comes too close, no scan is given, and the sentence names it."""
    guard_against(generator_folder(tmp_path), np.zeros((1, 16), np.float32), threshold=1e9)
    with pytest.raises(Refused, match="Scan 3 of seed 1 came too close"):
        at_work(tmp_path, of(3))
