"""A batch on the disk: DATA/synthesis/<id>/ with request.json, and a file for each shard that is finished.

Several replicas work on it, and agree by what is there. A shard is made by whoever has a lock on <shard>.claim, which
falls free when that one dies; a batch without request.json was removed; failed.txt says why nobody goes on.
Nothing else is remembered: what a crash interrupts is made again, and comes out the same.
"""

import json
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import MessageToDict, ParseDict

from scintiflow.contracts.v1.synthesis_pb2 import SynthesisBatch
from scintiflow.errors import Unavailable
from scintiflow.inference.generator_manifest import GeneratorManifest
from scintiflow.store import Store
from scintiflow.synthesizer.archive import Entry, join, pack
from scintiflow.synthesizer.wanted import Wanted

_ID = re.compile(r"[0-9a-f]{32}")
_DAY = 86_400.0
_ASKED = ("label", "count", "seed", "load", "perugini", "tracer", "scanner", "sex", "counts", "format")


@dataclass(frozen=True)
class Batch:
    """One batch as its folder says it is."""

    folder: Path
    order: SynthesisBatch

    @property
    def id(self) -> str:
        """Its name, 32 hexadecimal digits."""
        return self.folder.name

    @property
    def wanted(self) -> Wanted:
        """What was asked for; the seed is known."""
        asked = MessageToDict(self.order, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        return Wanted(**{name: asked[name] for name in _ASKED if name in asked})

    @property
    def shards(self) -> range:
        """The numbers of its shards."""
        return range(-(-self.order.count // self.order.shard))

    def indices(self, shard: int) -> range:
        """Return which scans are in a shard."""
        return range(shard * self.order.shard, min(self.order.count, (shard + 1) * self.order.shard))

    def scans(self, shards: Collection[int]) -> int:
        """Count the scans of these shards; only the last of all may be smaller than the others."""
        lacking = len(self.shards) * self.order.shard - self.order.count
        return len(shards) * self.order.shard - lacking * (self.shards[-1] in shards)

    @property
    def exists(self) -> bool:
        """Whether nobody has removed it."""
        return (self.folder / "request.json").exists()

    @property
    def failure(self) -> str:
        """Why nobody goes on with it; empty while there is no reason."""
        try:
            return (self.folder / "failed.txt").read_text()
        except FileNotFoundError:
            return ""

    def missing(self) -> set[int]:
        """Return which shards are not made yet."""
        there = {path.name for path in (self.folder / "shards").glob("*.zip")}
        return {shard for shard in self.shards if f"{shard:06}.zip" not in there}

    def expires_at(self, keep_days: float) -> float:
        """Return when these days are over since its last shard was made, or since it was asked for (Unix seconds)."""
        try:
            made = [path.stat().st_mtime for path in (self.folder / "shards").glob("*.zip")]
        except FileNotFoundError:  # another replica removes it
            made = []
        return max(made, default=self.order.asked_at) + _DAY * keep_days

    @contextmanager
    def claimed(self, store: Store, shard: int) -> Iterator[bool]:
        """Tell whether a shard is ours to make while the block runs: no other replica does, and none has.

        Raises:
            Unavailable: the batch is gone, or the disk failed.
        """
        claim = self.folder / f"{shard:06}.claim"
        with store.claimed(claim) as ours:
            try:
                yield ours and not self._file(shard).exists()
            finally:
                if ours and self._file(shard).exists():
                    claim.unlink(missing_ok=True)

    def keep(self, store: Store, shard: int, entries: list[Entry]) -> None:
        """Make a shard durable; raises Unavailable where the disk does not take it, or the batch was removed."""
        if not self.exists:
            raise Unavailable("It was removed meanwhile.")
        store.put_once(self._file(shard), pack(entries))
        if not self.missing():
            for claim in self.folder.glob("*.claim"):  # a replica may have been killed before it took its own away
                claim.unlink(missing_ok=True)

    def fail(self, store: Store, reason: str) -> None:
        """Let no replica go on with it; raises Unavailable where the disk does not take that."""
        store.put_once(self.folder / "failed.txt", reason.encode())

    def archive(self) -> Iterator[bytes]:
        """Yield the archive of a finished batch piece by piece."""
        return join((self._file(shard).open("rb") for shard in self.shards), self.wanted.format)

    def remove(self) -> None:
        """Remove it from the disk; what a crash leaves of it is no batch any more, and goes at the next look."""
        (self.folder / "request.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, shard: int) -> Path:
        return self.folder / "shards" / f"{shard:06}.zip"


def begin(store: Store, wanted: Wanted, seed: int, manifest: GeneratorManifest, *, shard: int) -> Batch:
    """Write down what is asked for, for good; raises Unavailable where the disk does not take it."""
    asked = wanted.model_dump(exclude_none=True) | {"seed": seed, "counts": wanted.counts or manifest.counts[1]}
    order = SynthesisBatch(
        **asked,
        shard=shard,
        model=manifest.name,
        model_version=manifest.version,
        model_digest=manifest.digest,
        asked_at=time.time(),
    )
    batch = Batch(store.data / uuid.uuid4().hex, order)
    said = MessageToDict(order, preserving_proto_field_name=True)
    store.put_once(batch.folder / "request.json", json.dumps(said, indent=1).encode())
    return batch


def beginning(store: Store) -> AbstractContextManager[bool]:
    """Tell whether nobody else begins a batch while the block runs, so that limits are not checked side by side."""
    return store.claimed(store.data / "begin.claim")


def batch_on_disk(store: Store, id: str) -> Batch | None:
    """Return one batch; None where there is none."""
    if not _ID.fullmatch(id):
        return None
    folder = store.data / id
    try:
        said = json.loads((folder / "request.json").read_bytes())
    except FileNotFoundError:
        return None
    return Batch(folder, ParseDict(said, SynthesisBatch(), ignore_unknown_fields=True))


def batches_on_disk(store: Store, known: Collection[Batch] = ()) -> list[Batch]:
    """Return all batches, oldest first; those that are `known` are not read again.

    Folders without a request, which a removal left, are removed.
    """
    named = {batch.id: batch for batch in known if batch.exists}
    ids = [folder.name for folder in store.data.iterdir() if _ID.fullmatch(folder.name)]
    found = {id: named.get(id) or batch_on_disk(store, id) for id in ids}
    if not all(found.values()):
        _clear(store, [id for id, batch in found.items() if batch is None])
    return sorted(filter(None, found.values()), key=lambda batch: batch.order.asked_at)


def _clear(store: Store, ids: list[str]) -> None:
    """Remove folders that have no request, and are not about to get one."""
    with beginning(store) as alone:
        for id in ids:
            if alone and batch_on_disk(store, id) is None:
                shutil.rmtree(store.data / id, ignore_errors=True)
