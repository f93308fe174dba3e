"""A batch on the disk: DATA/synthesis/<id>/ with request.json, and a file for each shard that is finished.

Nothing else is remembered: what a crash interrupts is made again, and comes out the same.
"""

import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import MessageToDict, ParseDict

from scintiflow.contracts.v1.synthesis_pb2 import SynthesisBatch
from scintiflow.inference.generator_manifest import GeneratorManifest
from scintiflow.store import Store
from scintiflow.synthesizer.archive import Entry, join, pack
from scintiflow.synthesizer.wanted import Wanted

_ID = re.compile(r"[0-9a-f]{32}")
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

    def missing(self) -> list[int]:
        """Return which shards are not made yet."""
        there = {path.name for path in (self.folder / "shards").glob("*.zip")}
        return [shard for shard in self.shards if self._file(shard).name not in there]

    def ended_at(self) -> float:
        """Return when the last of its shards was made, or it was asked for (Unix seconds)."""
        return max(
            (path.stat().st_mtime for path in (self.folder / "shards").glob("*.zip")), default=self.order.asked_at
        )

    def keep(self, store: Store, shard: int, entries: list[Entry]) -> None:
        """Make a shard durable; raises Unavailable where the disk does not take it."""
        store.put_once(self._file(shard), pack(entries))

    def archive(self) -> Iterator[bytes]:
        """Yield the archive of a finished batch piece by piece."""
        return join((self._file(shard).open("rb") for shard in self.shards), self.wanted.format)

    def remove(self) -> None:
        """Remove it from the disk; what a crash leaves of it is no batch any more, and goes at the next start."""
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


def batches_on_disk(store: Store) -> list[Batch]:
    """Return all batches, oldest first; folders without a request, which a crash left, are removed."""
    found = []
    for folder in store.data.iterdir():
        if not _ID.fullmatch(folder.name):
            continue
        try:
            said = json.loads((folder / "request.json").read_bytes())
        except FileNotFoundError:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        found.append(Batch(folder, ParseDict(said, SynthesisBatch(), ignore_unknown_fields=True)))
    return sorted(found, key=lambda batch: batch.order.asked_at)
