"""A batch on the disk."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scintiflow.errors import Unavailable
from scintiflow.store import Store
from scintiflow.synthesizer.archive import Entry, Packed
from scintiflow.synthesizer.batch import Batch, batch_on_disk, batches_on_disk, begin, beginning
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
        Entry(
            {"index": index, "seed": 0, "label": "both", "perugini": 2} | dict.fromkeys(REST),
            {f"{index}": Packed.of(b"scan")},
        )
        for index in batch.indices(shard)
    ]


REST = ["load", "tracer", "scanner", "sex", "counts", "model", "version", "digest", "synthetic", "evidence", "notice"]


def test_what_was_asked_for_survives(store: Store, batch: Batch) -> None:
    """Another process reads the same request from the disk, with the seed that was drawn and the counts meant."""
    (again,) = batches_on_disk(store)
    assert again == batch
    assert again.wanted == WANTED.model_copy(update={"seed": 0, "counts": 600_000})
    assert again.missing() == {0, 1, 2}


def test_shards_hold_each_scan_once(batch: Batch) -> None:
    """Every index is in exactly one shard, and the last one holds the rest."""
    assert [list(batch.indices(shard)) for shard in batch.shards] == [[0, 1, 2], [3, 4, 5], [6]]


def test_what_is_kept_is_not_missing(store: Store, batch: Batch) -> None:
    """A shard is finished once its file is there; made twice it is kept once."""
    batch.keep(store, 1, entries(batch, 1))
    batch.keep(store, 1, entries(batch, 1))
    assert batch.missing() == {0, 2}
    assert (batch.scans(batch.missing()), batch.scans({1}), batch.scans(set())) == (4, 3, 0)


def test_an_archive_has_every_scan_in_order(store: Store, batch: Batch) -> None:
    """Made in any order, the shards give all scans and their labels in the order of their indices."""
    for shard in (2, 0, 1):
        batch.keep(store, shard, entries(batch, shard))
    with zipfile.ZipFile(io.BytesIO(b"".join(batch.archive()))) as archive:
        assert archive.namelist() == [*"0123456", "labels.csv", "labels.json"]
        assert [labels["index"] for labels in json.loads(archive.read("labels.json"))] == list(range(7))


def test_what_a_crash_left_of_a_removal_goes(store: Store, batch: Batch) -> None:
    """A folder without a request is no batch, and is removed at the next look."""
    batch.keep(store, 0, entries(batch, 0))
    (batch.folder / "request.json").unlink()
    assert batches_on_disk(store) == []
    assert not batch.folder.exists()


def test_a_folder_that_is_about_to_get_its_request_stays(store: Store, batch: Batch) -> None:
    """While anybody begins a batch, no folder without a request is removed."""
    (batch.folder / "request.json").unlink()
    with beginning(store) as alone:
        assert alone
        assert batches_on_disk(store) == []
        assert batch.folder.exists()


def test_a_batch_is_found_by_its_name_alone(store: Store, batch: Batch) -> None:
    """A name finds its batch, and one that leads anywhere else finds nothing."""
    assert batch_on_disk(store, batch.id) == batch
    assert batch_on_disk(store, "0" * 32) is None
    assert batch_on_disk(store, f"../{store.data.name}/{batch.id}") is None


def test_a_shard_is_claimed_by_one(store: Store, batch: Batch) -> None:
    """While one makes a shard no other may, but all others are free; given back unmade, it is anybody's again."""
    with batch.claimed(store, 0) as ours, batch.claimed(store, 0) as theirs, batch.claimed(store, 1) as other:
        assert (ours, theirs, other) == (True, False, True)
    with batch.claimed(store, 0) as ours:
        assert ours


def test_a_shard_that_is_made_is_nobody_s(store: Store, batch: Batch) -> None:
    """Who comes late to a shard finds it made, and no claim is left beside it."""
    with batch.claimed(store, 0) as ours:
        assert ours
        batch.keep(store, 0, entries(batch, 0))
    with batch.claimed(store, 0) as ours:
        assert not ours
    assert not list(batch.folder.glob("*.claim"))


def test_a_killed_process_gives_its_claims_back(store: Store, batch: Batch) -> None:
    """After kill -9 of whoever made a shard, the next one may."""
    script = f"""
import sys
from pathlib import Path
from scintiflow.store import Store
from scintiflow.synthesizer.batch import batch_on_disk
store = Store(Path({str(store.data)!r}))
with batch_on_disk(store, {batch.id!r}).claimed(store, 0) as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"True\n"
        with batch.claimed(store, 0) as ours:
            assert not ours
        other.kill()
    with batch.claimed(store, 0) as ours:
        assert ours


def test_nothing_is_kept_of_a_removed_batch(store: Store, batch: Batch) -> None:
    """Who makes a shard of a batch that another removes meanwhile is told, and leaves nothing on the disk."""
    with batch.claimed(store, 0):
        batch.remove()
        with pytest.raises(Unavailable, match="removed meanwhile"):
            batch.keep(store, 0, entries(batch, 0))
    with pytest.raises(Unavailable), batch.claimed(store, 1):
        pass
    assert not batch.folder.exists()


def test_a_failure_is_told_to_all(store: Store, batch: Batch) -> None:
    """The first reason why a batch fails is the one that every replica reads."""
    assert batch.failure == ""
    batch.fail(store, "It is too close.")
    batch.fail(store, "It is another.")
    (again,) = batches_on_disk(store)
    assert again.failure == "It is too close."


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
