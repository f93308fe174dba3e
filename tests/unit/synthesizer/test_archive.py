"""Archives are joined from shards as they are."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scintiflow.synthesizer.archive import Entry, Packed, join, pack
from scintiflow.synthesizer.scan import FORMATS, Scan
from scintiflow.synthesizer.wanted import FormatName
from scintilab.archive.survey import survey
from scintilab.archive.table import open_archive
from tests.unit.synthesizer.items import item, manifest_in


def entries(folder: Path, format: FormatName, count: int) -> list[Entry]:
    """Make scans, of which every other one has metastases, and every third one cardiac uptake."""
    manifest = manifest_in(folder)
    made = []
    for index in range(count):
        label = {0: "both", 3: "cardiac_uptake"}.get(index % 6, "bone_metastases" if index % 2 == 0 else "normal")
        counts = np.random.default_rng(index).poisson(2, (2, 1024, 256)).astype(np.uint16)
        labels = item(index, label=label).labels(manifest)
        names = FORMATS[format].names(index)
        files = FORMATS[format].encode(Scan(counts, labels))
        made.append(Entry(labels, {names[column]: Packed.of(data) for column, data in files.items()}))
    return made


@pytest.mark.parametrize("format", FORMATS)
def test_an_archive_holds_what_its_shards_hold(tmp_path: Path, format: FormatName) -> None:
    """However scans are split into shards, the archive is the same, sound, and has each file once, with its bytes."""
    made = entries(tmp_path, format, 5)
    archives = []
    for split in ([5], [2, 3], [1, 1, 1, 1, 1]):
        ends = np.cumsum(split).tolist()
        shards = [pack(made[end - size : end]) for size, end in zip(split, ends, strict=True)]
        archives.append(b"".join(join(map(io.BytesIO, shards), format)))
    assert len(set(archives)) == 1
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        assert archive.testzip() is None
        wanted = {name: packed for entry in made for name, packed in entry.files.items()}
        assert sorted(archive.namelist()) == sorted([*wanted, "labels.csv", "labels.json"])
        assert all(Packed.of(archive.read(name)) == packed for name, packed in wanted.items())
        assert json.loads(archive.read("labels.json")) == [entry.labels for entry in made]


@pytest.mark.parametrize("format", ["dicom", "png"])
def test_the_workshop_reads_it_as_an_archive_of_its_own(tmp_path: Path, format: FormatName) -> None:
    """Unpacked, labels.csv is an archive: every scan is found, read, and has the labels that it was asked for."""
    made = entries(tmp_path, format, 6)
    whole = b"".join(join([io.BytesIO(pack(made))], format))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        archive.extractall(tmp_path / "scans")
    looked_over = survey(open_archive(tmp_path / "scans" / "labels.csv")).archive()
    assert not looked_over.excluded
    truths = [dict(study.truth) for study in looked_over.studies]
    assert truths == [
        {"metastasis": "metast" in label or label == "both", "cardiac": label in ("cardiac_uptake", "both")}
        for label in (entry.labels["label"] for entry in made)
    ]
    assert len({study.patient for study in looked_over.studies}) == 6
