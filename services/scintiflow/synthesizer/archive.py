"""Archives: a ZIP with the scans of a request, and their labels in labels.csv and labels.json.

Scans are compressed once, when they are made, into shards that are whole ZIP files. An archive joins what lies in them,
as it is, behind one directory; so it is read off the disk as it leaves, whatever its size. What compresses is
libdeflate, in half the time of zlib; zipfile knows zlib only, so files are put behind one another here.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from imagecodecs import deflate_crc32, deflate_encode

from scintiflow.synthesizer.scan import FORMATS, patient_of
from scintiflow.synthesizer.wanted import FormatName

_CHUNK = 1 << 20
_FASTEST = 1
_NAMES = ("seed", "index", "label", "load", "tracer", "scanner", "sex", "counts")
_MAKER = ("model", "version", "digest", "synthetic", "evidence", "notice")


@dataclass(frozen=True)
class Packed:
    """A file, compressed."""

    data: bytes
    size: int
    """Of the file."""
    crc: int

    @classmethod
    def of(cls, data: bytes) -> "Packed":
        """Compress a file."""
        return cls(bytes(deflate_encode(data, level=_FASTEST, raw=True)), len(data), deflate_crc32(data))


@dataclass(frozen=True)
class Entry:
    """One scan in its final form: its labels, and each file by name."""

    labels: dict[str, Any]
    files: dict[str, Packed]


def pack(entries: Sequence[Entry]) -> bytes:
    """Return a shard: the files of these scans, and their labels behind them."""
    file = io.BytesIO()
    with ZipFile(file, "w") as shard:
        for entry in entries:
            for name, packed in entry.files.items():
                _put(shard, file, name, packed)
        shard.writestr(_dateless("labels.json"), json.dumps([entry.labels for entry in entries]))
    return file.getvalue()


def _put(shard: ZipFile, file: IO[bytes], name: str, packed: Packed) -> None:
    """Put a file behind the last one of a shard, which is written to `file`."""
    member = _dateless(name)
    member.CRC, member.file_size, member.compress_size = packed.crc, packed.size, len(packed.data)
    member.header_offset = shard.start_dir
    file.write(member.FileHeader())
    file.write(packed.data)
    shard.filelist.append(member)
    shard.start_dir = file.tell()


def join(shards: Iterable[IO[bytes]], format: FormatName) -> Iterator[bytes]:
    """Yield an archive of these shards piece by piece, closing each; `format` is that of all scans."""
    sink, labels = _Sink(), []
    with ZipFile(sink, "w") as archive:
        for file in shards:
            with file, ZipFile(file) as shard:
                *members, last = shard.infolist()
                labels += json.loads(shard.read(last))
                for member in members:
                    member.header_offset += sink.tell()
                archive.filelist += members
                yield from _copied(file, last.header_offset)
                sink.skip(last.header_offset)
        archive.start_dir = sink.tell()
        archive.writestr(_dateless("labels.csv"), labels_csv(labels, format))
        archive.writestr(_dateless("labels.json"), json.dumps(labels, indent=1))
        yield sink.taken()
    yield sink.taken()


def labels_csv(labels: Sequence[dict[str, Any]], format: FormatName) -> str:
    """Return the labels as `scintilab.archive` reads them, with columns of our own behind its."""
    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(["patient", *FORMATS[format].endings, "metastasis", "cardiac", "perugini", *_NAMES, *_MAKER])
    for scan in labels:
        lines.writerow(
            [
                patient_of(scan),
                *FORMATS[format].names(scan["index"]).values(),
                int(scan["label"] in ("bone_metastases", "both")),
                int(scan["label"] in ("cardiac_uptake", "both")),
                "-" if scan["perugini"] is None else scan["perugini"],
                *(scan[name] for name in _NAMES + _MAKER),
            ]
        )
    return table.getvalue()


class _Sink(io.RawIOBase):
    """A file that goes on for ever: it counts what was written or skipped, and holds what nobody took."""

    def __init__(self) -> None:
        self._at = 0
        self._held = bytearray()

    def write(self, data: Any) -> int:
        self._held += data
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def skip(self, size: int) -> None:
        self._at += size

    def taken(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held


def _copied(file: IO[bytes], size: int) -> Iterator[bytes]:
    file.seek(0)
    for left in range(size, 0, -_CHUNK):
        yield file.read(min(left, _CHUNK))


def _dateless(name: str) -> ZipInfo:
    """Describe a member that says no date, so that the same scans are the same bytes."""
    member = ZipInfo(name)
    member.compress_type = ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    return member
