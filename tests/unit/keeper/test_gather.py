"""What the keeper decides, and what it costs to."""

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest
from pydicom import Dataset

from scintiflow.contracts.v1.finding_pb2 import Result, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.dicom.identity import study_folder
from scintiflow.dicom.reading import MOST_BYTES
from scintiflow.dicom.selection import DUPLICATE
from scintiflow.keeper.gather import gather, may_complete
from scintiflow.records import note, read_record
from scintiflow.store import Store
from tests.builders import ACQUIRED_AT, file_bytes, having, scan, study_uid

FOLDER = study_folder(study_uid("usual"))


def put(data: Store, objects: list[bytes]) -> list[str]:
    """Let a study hold these objects too, under made-up digests; return those."""
    folder = data.study(FOLDER) / "objects"
    folder.mkdir(parents=True, exist_ok=True)
    held = len(list(folder.iterdir()))
    digests = [f"{number:064x}" for number in range(held, held + len(objects))]
    for digest, content in zip(digests, objects, strict=True):
        (folder / f"{digest}.dcm").write_bytes(content)
    return digests


def crowded(elements: int) -> bytes:
    """Return a scan with so many private elements."""
    image = scan()
    for number in range(elements):
        image.add_new(0x0019_1000 + number, "SH", "x")
    return file_bytes(image)


def static(number: int) -> bytes:
    """Return a static view, which is not for us; each number is another one."""
    image = scan(acquired_at=ACQUIRED_AT.replace(minute=number))
    return file_bytes(having(image, ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]))


def peak_bytes(data: Store, digests: list[str]) -> int:
    """Return how much memory the keeper needs at once to hear of a study's objects and to decide about them."""
    tracemalloc.start()
    try:
        for digest in digests:
            may_complete(data, FOLDER, digest)
        gather(data, FOLDER, 1.0, "PACS")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_many_crowded_headers_take_no_more_memory_than_one(tmp_path: Path) -> None:
    """However much a sender puts into the headers of a study, one of them is in memory at a time."""
    one, many = Store(tmp_path / "one"), Store(tmp_path / "many")
    image = crowded(4_000)
    alone = peak_bytes(one, put(one, [image]))
    assert peak_bytes(many, put(many, [image] * 8)) < 1.5 * alone


def test_a_result_of_ours_is_known_by_its_uid(tmp_path: Path) -> None:
    """What a PACS gave other equipment before it sent our result back is a result of ours all the same."""
    data = Store(tmp_path)
    image = scan()
    put(data, [file_bytes(image)])
    result = Result(name="r1-metastasis-picture", sop_instance_uid=image.SOPInstanceUID)
    delivery = ResultReady(study=FOLDER, revision=1, destination="pacs", results=[result])
    note(data, FOLDER, "selected", reason="", objects=["aa"], ready=StudyReady(revision=1), revision=1)
    note(data, FOLDER, "reported", revision=1, deliveries=[delivery])
    decision = gather(data, FOLDER, 1.0, "PACS")
    assert decision is not None
    assert (decision.event, decision.declined) == ("unchanged", {})


def test_only_the_first_pair_of_a_study_is_hurried(tmp_path: Path) -> None:
    """A sender of many pairs does not cause a revision with each: those after the first wait for quiet."""
    data = Store(tmp_path)
    hurried = []
    for minute in range(3):
        image = scan(acquired_at=ACQUIRED_AT.replace(minute=minute))
        (digest,) = put(data, [file_bytes(image)])
        hurried.append(may_complete(data, FOLDER, digest))
        if hurried[-1]:
            gather(data, FOLDER, 1.0, "PACS")
    assert hurried == [True, False, False]
    decision = gather(data, FOLDER, 1.0, "PACS")
    assert decision is not None
    assert decision.reason == "revision 2"


@pytest.mark.parametrize(("nested", "event"), [(False, "selected"), (True, "declined")])
def test_a_value_of_any_length_takes_no_memory(tmp_path: Path, nested: bool, event: str) -> None:
    """A long value stays on disk; inside a sequence, where it cannot, its object is declined."""
    image, item = scan(), Dataset()
    (item if nested else image).add_new(0x0042_0011, "OB", bytes(2 * MOST_BYTES))
    image.add_new("ReferencedImageSequence", "SQ", [item])
    image["ReferencedImageSequence"].is_undefined_length = True
    data = Store(tmp_path)
    assert peak_bytes(data, put(data, [file_bytes(image)])) < MOST_BYTES
    assert read_record(data, FOLDER).events[-1]["event"] == event


def test_a_damaged_object_that_is_sent_again_is_read(tmp_path: Path) -> None:
    """What the disk damaged is no longer left out once the receiver has put the same bytes in its place."""
    data, content = Store(tmp_path), file_bytes(scan())
    digest = hashlib.sha256(content).hexdigest()
    objects = data.study(FOLDER) / "objects"
    objects.mkdir(parents=True)
    (objects / f"{digest}.dcm").write_bytes(bytes(1000))
    assert not may_complete(data, FOLDER, digest)
    with data.incoming("receiver") as incoming:
        (incoming / "part").write_bytes(content)
        data.put_object(incoming / "part", FOLDER, digest)
    assert may_complete(data, FOLDER, digest)


def test_a_study_that_drips_in_costs_a_line_for_each_object(tmp_path: Path) -> None:
    """However many objects a study holds, a decision about one more is as short as the first, and none is forgotten."""
    data = Store(tmp_path)
    for number in range(12):
        put(data, [static(number)])
        gather(data, FOLDER, 1.0, "PACS")
    first, *others = (data.study(FOLDER) / "events.jsonl").read_bytes().splitlines()
    assert len(others) == 11
    assert max(map(len, others)) < len(first) + 20  # digits of its time
    record = read_record(data, FOLDER)
    assert record.declined.keys() == record.objects.keys()
    assert not record.undecided


def test_an_object_that_another_one_unmasks_is_noted_with_it(tmp_path: Path) -> None:
    """An object decided before is declined where one of the same UID turns out to have come earlier."""
    data, image = Store(tmp_path), scan()
    (read,) = put(data, [file_bytes(image)])
    gather(data, FOLDER, 1.0, "PACS")
    (first,) = put(data, [file_bytes(having(image, SeriesDescription="Bone scan"))])
    os.utime(data.study(FOLDER) / "objects" / f"{first}.dcm", (1.0, 1.0))
    gather(data, FOLDER, 1.0, "PACS")
    assert read_record(data, FOLDER).declined == {read: DUPLICATE}


def test_an_object_that_is_damaged_no_more_is_not_declined_any_more(tmp_path: Path) -> None:
    """The next decision about its study takes back that it could not be read."""
    data = Store(tmp_path)
    (digest,) = put(data, [bytes(1000)])
    gather(data, FOLDER, 1.0, "PACS")
    assert read_record(data, FOLDER).declined.keys() == {digest}
    (data.study(FOLDER) / "objects" / f"{digest}.dcm").write_bytes(file_bytes(scan()))
    (other,) = put(data, [static(0)])
    gather(data, FOLDER, 1.0, "PACS")
    record = read_record(data, FOLDER)
    assert (record.outcome.state, record.declined.keys()) == ("queued", {other})
