"""A batch on the disk."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from scintiflow.errors import Unavailable
from scintiflow.store import Store
from scintiflow.synthesizer.archive import Entry
from scintiflow.synthesizer.batch import Batch, batches_on_disk, begin
from scintiflow.synthesizer.wanted import Wanted
from tests.unit.synthesizer.items import manifest_in

WANTED = Wanted(label="both", count=7, load=2.5, perugini=2, sex="F", format="npz")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    (tmp_path / "synthesis").mkdir()
    return Store(tmp_path / "synthesis")


@pytest.fixture
def batch(store: Store, tmp_path: Path) -> Batch:
    """Seven scans in shards of three."""
    return begin(store, WANTED, 0, manifest_in(tmp_path / "models"), shard=3)


def entries(batch: Batch, shard: int) -> list[Entry]:
    """Stand-ins for the scans of a shard: a name, and labels with no more than an index."""
    return [
        Entry({"index": index, "seed": 0, "label": "both", "perugini": 2} | dict.fromkeys(REST), {f"{index}": b"scan"})
        for index in batch.indices(shard)
    ]


REST = ["load", "tracer", "scanner", "sex", "counts", "model", "version", "digest", "synthetic", "evidence", "notice"]


def test_what_was_asked_for_survives(store: Store, batch: Batch) -> None:
    """Another process reads the same request from the disk, with the seed that was drawn and the counts meant."""
    (again,) = batches_on_disk(store)
    assert again == batch
    assert again.wanted == WANTED.model_copy(update={"seed": 0, "counts": 600_000})
    assert again.missing() == [0, 1, 2]


def test_shards_hold_each_scan_once(batch: Batch) -> None:
    """Every index is in exactly one shard, and the last one holds the rest."""
    assert [list(batch.indices(shard)) for shard in batch.shards] == [[0, 1, 2], [3, 4, 5], [6]]


def test_what_is_kept_is_not_missing(store: Store, batch: Batch) -> None:
    """A shard is finished once its file is there; made twice it is kept once."""
    batch.keep(store, 1, entries(batch, 1))
    batch.keep(store, 1, entries(batch, 1))
    assert batch.missing() == [0, 2]


def test_an_archive_has_every_scan_in_order(store: Store, batch: Batch) -> None:
    """Made in any order, the shards give all scans and their labels in the order of their indices."""
    for shard in (2, 0, 1):
        batch.keep(store, shard, entries(batch, shard))
    with zipfile.ZipFile(io.BytesIO(b"".join(batch.archive()))) as archive:
        assert archive.namelist() == [*"0123456", "labels.csv", "labels.json"]
        assert [labels["index"] for labels in json.loads(archive.read("labels.json"))] == list(range(7))


def test_what_a_crash_left_of_a_removal_goes(store: Store, batch: Batch) -> None:
    """A folder without a request is no batch, and is removed at the next start."""
    batch.keep(store, 0, entries(batch, 0))
    (batch.folder / "request.json").unlink()
    assert batches_on_disk(store) == []
    assert not batch.folder.exists()


def test_a_removed_batch_is_gone(store: Store, batch: Batch) -> None:
    """Nothing of it is left on the disk, and nothing else is touched."""
    other = begin(store, WANTED, 1, manifest_in(store.data.parent / "models"), shard=3)
    batch.remove()
    assert batches_on_disk(store) == [other]
    assert not batch.folder.exists()


def test_a_disk_that_takes_nothing_says_so(store: Store, tmp_path: Path) -> None:
    """Where the request cannot be written down, nothing is promised."""
    (store.data / "incoming").write_text("a file where a folder should be")
    with pytest.raises(Unavailable, match="The disk under DATA failed"):
        begin(store, WANTED, 0, manifest_in(tmp_path / "models"), shard=3)
