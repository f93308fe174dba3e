"""What an archive of labelled scans promises, wherever they come from."""

import csv
import re
import struct
import subprocess
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless
from typer.testing import CliRunner

from scintiflow.decode import Decoded, decode
from scintiflow.dicom.canvas import canvas_view
from scintiflow.dicom.reading import read_header
from scintiflow.dicom.selection import candidate, select
from scintiflow.errors import Declined, Refused
from scintilab.archive import Archive, Batch, Study
from scintilab.archive.__main__ import app
from scintilab.archive.dicom import DicomFiles
from scintilab.archive.png import PngPair
from scintilab.archive.simulated import simulated
from scintilab.archive.split import Parts, given_split, split, union
from scintilab.archive.survey import survey
from scintilab.archive.table import open_archive
from tests.builders import (
    ANTERIOR,
    OTHER_PATIENT,
    POSTERIOR,
    body_counts,
    changed,
    file_bytes,
    one_view,
    scan,
    study_uid,
)
from tests.unit.scintilab.cohorts import a_cohort

EXAMPLES = Path(__file__).parents[3] / "models" / "metastasis" / "examples"
ZENODO = (1024, 256)
"""Rows and columns of the pictures in Zenodo record 13900966."""

Line = dict[str, str]


def write(folder: Path, lines: list[Line], *, delimiter: str = ",") -> Path:
    """Write the table of an archive."""
    path = folder / "labels.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(lines[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(lines)
    return path


def paint(path: Path, counts: NDArray[np.generic]) -> None:
    """Write a PNG picture."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(counts).save(path)


def png_lines(folder: Path, patients: int = 4, size: tuple[int, int] = (256, 64)) -> list[Line]:
    """Paint two views of each patient, every second one with metastases, and return the lines that name them."""
    lines = []
    for number in range(patients):
        files = {view: f"images/{number:03d}_{view}.png" for view in ("anterior", "posterior")}
        for file, counts in zip(files.values(), body_counts(2, *size, seed=number), strict=True):
            paint(folder / file, counts)
        lines.append({"patient": f"P{number:03d}", **files, "metastasis": str(number % 2)})
    return lines


def dicom_lines(folder: Path, *images: Dataset) -> list[Line]:
    """Write one file for each patient, and return the lines that name them."""
    lines = []
    for number, image in enumerate(images):
        (folder / f"{number}.dcm").write_bytes(file_bytes(image))
        lines.append({"patient": f"P{number}", "study": f"{number}.dcm", "metastasis": "0"})
    return lines


def read_by_the_runtime(data: bytes, folder: Path) -> Decoded:
    """Select and decode the views of one stored object, as the line does."""
    digest = sha256(data).hexdigest()
    path = folder / f"{digest}.dcm"
    path.write_bytes(data)
    with path.open("rb") as file:
        selection = select([candidate(digest, 0.0, read_header(file), len(data))])
    return decode(selection.views, folder)


def refusal(opened: Callable[[], object]) -> str:
    """Return the sentence that stops something."""
    with pytest.raises(Refused) as refused:
        opened()
    assert str(refused.value).endswith(".")
    return str(refused.value)


def only(batches: Iterator[Batch]) -> Batch:
    """Return the one batch there is."""
    (batch,) = batches
    return batch


@pytest.mark.parametrize("name", ["normal-1.dcm", "metastases-2.dcm"])
def test_canvas_is_the_runtime_s(tmp_path: Path, name: str) -> None:
    """A DICOM file gives in training, bit by bit, the canvas that it gives in service."""
    data = (EXAMPLES / name).read_bytes()
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "scan").write_bytes(data)
    table = write(tmp_path / "archive", [{"patient": "1", "study": "scan", "metastasis": "0"}])
    batch = only(open_archive(table).batches(8))
    served = read_by_the_runtime(data, tmp_path)
    assert batch.canvas.dtype == served.canvas.dtype == np.float32
    assert batch.canvas[0].tobytes() == served.canvas.tobytes()
    assert batch.present.tolist() == [served.present.tolist()] == [[1, 1]]


@pytest.mark.parametrize("size", [ZENODO, (256, 64), (1000, 300)])
def test_pictures_of_the_same_counts_give_the_same_canvas(tmp_path: Path, size: tuple[int, int]) -> None:
    """A pair of PNG pictures and a DICOM file that hold the same counts give the same canvas, bit by bit."""
    counts = body_counts(2, *size)
    path = tmp_path / "scan.dcm"
    path.write_bytes(file_bytes(scan(counts)))
    pair = PngPair(tmp_path / "front.png", tmp_path / "back.png")
    for file, view in zip(pair.files, counts, strict=True):
        paint(file, view)
    one, other = DicomFiles((path,)).read(), pair.read()
    assert one.canvas.tobytes() == other.canvas.tobytes()
    assert np.array_equal(one.canvas, np.stack([canvas_view(view) for view in counts]))


@pytest.mark.peers
def test_dicom_folder_of_another_program(tmp_path: Path, peer: Callable[[str], str]) -> None:
    """What DCMTK decompressed, renamed and gave new UIDs goes through as its original does, in several syntaxes."""
    dcmdjpls, dcmconv, dcmodify = (peer(f"/usr/bin/{name}") for name in ("dcmdjpls", "dcmconv", "dcmodify"))
    lines, originals = [], sorted(EXAMPLES.glob("*.dcm"))
    for number, (original, syntax) in enumerate(zip(originals, cycle(("+te", "+ti", "+tb")), strict=False)):
        folder = tmp_path / "export" / f"PAT{number}" / "NM"
        folder.mkdir(parents=True)
        file = folder / f"IM{number}"
        subprocess.run([dcmdjpls, original, file], check=True)
        subprocess.run([dcmconv, syntax, file, file], check=True)
        subprocess.run(
            [dcmodify, "-nb", "-gst", "-gse", "-gin", "-m", f"PatientID=A{number}", "-ea", "(0008,103e)", file],
            check=True,
        )
        lines.append({"patient": f"A{number}", "study": f"PAT{number}", "metastasis": str(int(number < 4))})
    archive = survey(open_archive(write(tmp_path / "export", lines))).archive()
    assert [study.truth["metastasis"] for study in archive.studies] == [True] * 4 + [False] * 4
    for original, canvas in zip(originals, only(archive.batches(8)).canvas, strict=True):
        assert canvas.tobytes() == read_by_the_runtime(original.read_bytes(), tmp_path).canvas.tobytes()


def test_png_folder_in_the_layout_of_zenodo(tmp_path: Path) -> None:
    """16-bit pictures of 256 x 1024, two a patient, go through: surveyed, split, and read in batches."""
    lines = png_lines(tmp_path, patients=6, size=ZENODO)
    archive = survey(open_archive(write(tmp_path, lines))).archive()
    parts = split(archive, seed=3, train=0.5, validate=0.25, test=0.25)
    assert sum(len(part.studies) for part in parts) == 6
    batches = list(archive.batches(4))
    assert [batch.canvas.shape for batch in batches] == [(4, 2, 512, 256), (2, 2, 512, 256)]
    assert np.array_equal(batches[0].canvas[2, 1], canvas_view(body_counts(2, *ZENODO, seed=2)[1]))
    assert [study.truth["metastasis"] for study in batches[1].studies] == [False, True]


def test_simulated_cohort_is_an_archive_too() -> None:
    """A cohort of the phantom is surveyed and read by the same calls, one study a scan; scans share patients."""
    cohort = a_cohort(scans=6)
    archive = survey(simulated(cohort)).archive()
    assert [study.truth["metastasis"] for study in archive.studies] == cohort.metastatic.tolist()
    assert [study.truth["cardiac"] for study in archive.studies] == cohort.cardiac.tolist()
    assert [study.perugini for study in archive.studies] == [0, 2] * 3
    assert np.array_equal(only(archive.batches(8)).canvas, cohort.canvas)
    assert len({study.patient for study in archive.studies}) == 3
    told = archive.studies[5]
    assert (told.site, told.age, told.sex, told.tracer) == ("A", 70.0, "M", "DPD")
    assert told.name == "simulated patient 2 of site A, visit 1"


def test_one_view_is_enough(tmp_path: Path) -> None:
    """A view that was not made is absent: zeros, and present says so."""
    lines = png_lines(tmp_path, patients=1)
    (tmp_path / lines[0]["posterior"]).unlink()
    batch = only(open_archive(write(tmp_path, [lines[0] | {"posterior": ""}])).batches(1))
    assert batch.present.tolist() == [[1, 0]]
    assert batch.canvas[0, 0].any()
    assert not batch.canvas[0, 1].any()


@pytest.mark.parametrize("named", ["study", "study/a.dcm|study/b.dcm"])
def test_views_in_two_files_are_one_study(tmp_path: Path, named: str) -> None:
    """A study is a folder, or several files; which view is which the files say, not their order."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "a.dcm").write_bytes(file_bytes(one_view(POSTERIOR)))
    (tmp_path / "study" / "b.dcm").write_bytes(file_bytes(one_view(ANTERIOR)))
    (tmp_path / "study" / "readme.txt").write_text("not DICOM")
    table = write(tmp_path, [{"patient": "1", "study": named, "metastasis": "0"}])
    batch = only(open_archive(table).batches(1))
    assert np.array_equal(batch.canvas[0, 0], canvas_view(one_view(ANTERIOR).pixel_array))
    assert np.array_equal(batch.canvas[0, 1], canvas_view(one_view(POSTERIOR).pixel_array))


def test_labels_answer_questions(tmp_path: Path) -> None:
    """Perugini 2 and 3 are cardiac uptake, a hyphen is an unknown answer, and only what is known is asked."""
    lines = png_lines(tmp_path, patients=5)
    grades = ("0", "1", "2", "3", "-")
    extra: Line = {"site": "Vienna", "age": "71", "sex": "f", "tracer": "DPD"}
    lines = [line | extra | {"perugini": grade} for line, grade in zip(lines, grades, strict=True)]
    archive = open_archive(write(tmp_path, lines))
    cardiac = archive.asked("cardiac")
    assert [study.truth["cardiac"] for study in cardiac.studies] == [False, False, True, True]
    assert [study.perugini for study in archive.studies] == [0, 1, 2, 3, None]
    assert archive.asked("metastasis") == archive
    first = archive.studies[0]
    assert (first.site, first.age, first.sex, first.tracer) == ("Vienna", 71, "F", "DPD")


def test_spreadsheets_are_read_as_they_come(tmp_path: Path) -> None:
    """Semicolons, a byte order mark, capitals, blanks and columns of no interest do not matter."""
    lines = [{"Patient ": line.pop("patient"), "Report": "a;b\nc", **line} for line in png_lines(tmp_path)]
    table = write(tmp_path, lines, delimiter=";")
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    assert len(open_archive(table).studies) == len(lines)


def test_excluded_studies_are_kept_apart(tmp_path: Path) -> None:
    """A study is left out for the reason in the table, without a label, or because the runtime would not read it."""
    lines = dicom_lines(tmp_path, scan(), changed(PatientBirthDate="20200101")(), scan(body_counts(seed=9)))
    for line in lines:
        line["exclude"] = ""
    lines[2] |= {"metastasis": "", "exclude": "withdrew consent"}
    found = survey(open_archive(write(tmp_path, lines)))
    assert [study.patient for study in found.archive().studies] == ["p0"]
    assert [(each.study.patient, each.reason) for each in found.excluded] == [
        ("p2", "withdrew consent"),
        ("p1", "The patient is a child; only scans of adults are read."),
    ]


def test_opening_reads_no_pixels(tmp_path: Path) -> None:
    """An archive opens whatever its pictures hold; only reading one of them meets what is wrong with it."""
    lines = png_lines(tmp_path, patients=2)
    (tmp_path / lines[0]["anterior"]).write_bytes(b"no picture")
    damaged, sound = open_archive(write(tmp_path, lines)).studies
    assert refusal(damaged.read).startswith("labels.csv, line 2: 000_anterior.png is not a PNG")
    assert sound.read().present.all()


def test_memory_holds_one_batch(tmp_path: Path) -> None:
    """However many studies there are, their pixels are in memory only as long as their batch is."""
    archive = open_archive(write(tmp_path, png_lines(tmp_path, patients=40)))
    tracemalloc.start()
    try:
        patients = [study.patient for batch in archive.batches(2) for study in batch.studies]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(patients) == 40
    assert peak < 12 << 20  # a canvas of two views is 1 MiB


def test_sound_table_is_no_fault(tmp_path: Path) -> None:
    """What the faults below are made from is sound itself."""
    assert survey(open_archive(write(tmp_path, png_lines(tmp_path)))).faults == ()


WRONG_TABLES: dict[str, tuple[Callable[[Path, list[Line]], Any], str]] = {
    "missing label": (
        lambda _, lines: lines[1].update(metastasis=""),
        "line 3: The label metastasis is missing: write",
    ),
    "no label": (
        lambda _, lines: lines[1].update(metastasis="yes"),
        "line 3: 'yes' is no metastasis: write one of 0, 1.",
    ),
    "no column of labels": (
        lambda _, lines: [line.pop("metastasis") for line in lines],
        "write patient, files, and one of",
    ),
    "labels that contradict": (
        lambda _, lines: [line.update(cardiac="1", perugini="1") for line in lines],
        "cardiac and perugini contradict",
    ),
    "no patient": (lambda _, lines: lines[0].update(patient=" "), "line 2: The patient is missing: write"),
    "no files": (lambda _, lines: lines[0].update(anterior="", posterior=""), "line 2: No picture is named: write"),
    "no column of files": (lambda _, lines: [line.pop("posterior") for line in lines], "write either"),
    "file that is not there": (
        lambda _, lines: lines[2].update(anterior="no.png"),
        "line 4: no.png is not there: correct",
    ),
    "other file": (lambda _, lines: lines[2].update(anterior="labels.csv"), "labels.csv is not a PNG file: name"),
    "file that no line names": (lambda _, lines: lines.pop(), "No line names images/003_anterior.png: write one"),
    "file named twice": (
        lambda _, lines: lines[1].update(posterior=lines[1]["anterior"]),
        "line 3 names 001_anterior.png, which labels.csv, line 3 names already: correct",
    ),
    "too old": (lambda _, lines: [line.update(age="710") for line in lines], "The age 710 is none: write years"),
    "no sex": (lambda _, lines: [line.update(sex="W") for line in lines], "'W' is no sex: write one of F, M, O."),
    "patient on both sides": (
        lambda _, lines: [
            line.update(patient=name, split=part)
            for line, name, part in zip(
                lines, ("A", "a ", "B", "C"), ("train", "test", "test", "validate"), strict=True
            )
        ],
        "labels.csv, line 2 and labels.csv, line 3 are of one patient, who is on both sides, train and test: put all",
    ),
    "side that is none": (lambda _, lines: [line.update(split="holdout") for line in lines], "'holdout' is no split"),
}
"""Name -> what makes a table wrong, and what the sentence says of it."""


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_wrong_table_stops_with_a_sentence(tmp_path: Path, name: str) -> None:
    """A table that is wrong is not opened; the sentence names the line and what to do."""
    spoil, said = WRONG_TABLES[name]
    lines = png_lines(tmp_path)
    spoil(tmp_path, lines)
    assert said in refusal(lambda: open_archive(write(tmp_path, lines)))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """One run tells every fault, up to a number beyond which they have one cause."""
    lines = [line | {"metastasis": "?"} for line in png_lines(tmp_path, patients=23)]
    told = refusal(lambda: open_archive(write(tmp_path, lines))).splitlines()
    assert [line.split(":")[0] for line in told[:2]] == ["labels.csv, line 2", "labels.csv, line 3"]
    assert told[20:] == ["There are 3 more."]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "write patient, files, and one of"),
        (b"patient,anterior,posterior,metastasis\n1,a.png\n", "line 2 has 2 cells, and the first line 4: write"),
        (b"patient,patient,study,metastasis\n", "two columns of one name"),
        ("patient,study,metastasis\nMüller,a,0\n".encode("latin-1"), "is not a CSV file in UTF-8"),
        (b'patient,study,metastasis\n"1"2,a,0\n', "is not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_table_stops_with_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    """A file that is no table of an archive says so, and so does one that is not there."""
    table = tmp_path / "labels.csv"
    table.write_bytes(content)
    assert said in refusal(lambda: open_archive(table))
    assert "cannot be opened" in refusal(lambda: open_archive(tmp_path / "other.csv"))


def large_png(path: Path) -> None:
    """Write a small file that claims to unfold to 28 GB."""
    header, pixels = struct.pack(">IIBBBBB", 60_000, 240_000, 16, 0, 0, 0, 0), zlib.compress(bytes(1 << 20))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels))


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


WRONG_PICTURES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "8 bits": (
        lambda path: paint(path, body_counts(1)[0].astype(np.uint8)),
        "not in 16-bit grey, and 8 bits lose counts",
    ),
    "colour": (
        lambda path: paint(path, np.zeros((256, 64, 3), np.uint8)),
        "is a colour picture, which has lost the counts",
    ),
    "wide": (lambda path: paint(path, body_counts(1, 256, 1024)[0]), "is 1024 x 256 and has not the size"),
    "small": (lambda path: paint(path, body_counts(1, 128, 32)[0]), "is 32 x 128 and has not the size"),
    "large": (lambda path: paint(path, np.zeros((4200, 1000), np.uint16)), "is 1000 x 4200 and has not the size"),
    "bomb": (large_png, "is larger than any scan and has not the size"),
    "other size than its pair": (
        lambda path: paint(path, body_counts(1, 512, 128)[0]),
        "The views differ in size (128 x 512 and 64 x 256): name",
    ),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:900]), "is not a PNG that can be read"),
    "JPEG": (lambda path: Image.new("L", (64, 256)).save(path, "JPEG"), "is not a PNG that can be read"),
}
"""Name -> what makes a picture wrong, and what the sentence says of it."""


@pytest.mark.parametrize("name", WRONG_PICTURES)
def test_wrong_picture_stops_with_a_sentence(tmp_path: Path, name: str) -> None:
    """A picture that is not a view of a scan is refused with its line, and a survey finds it among sound ones."""
    spoil, said = WRONG_PICTURES[name]
    lines = png_lines(tmp_path)
    spoil(tmp_path / lines[1]["posterior"])
    archive = open_archive(write(tmp_path, lines))
    sentence = refusal(archive.studies[1].read)
    assert sentence.startswith("labels.csv, line 3: ")
    assert said in sentence
    found = survey(archive)
    assert found.faults == (sentence,)
    assert len(found.seen) == 3
    assert refusal(found.archive) == sentence


def test_blank_picture_is_left_out(tmp_path: Path) -> None:
    """A view without counts is excluded, as the runtime would decline it."""
    lines = png_lines(tmp_path)
    paint(tmp_path / lines[1]["posterior"], np.zeros((256, 64), np.uint16))
    found = survey(open_archive(write(tmp_path, lines)))
    assert [each.reason for each in found.excluded] == ["A view holds no counts."]
    with pytest.raises(Declined, match=r"labels\.csv, line 3"):
        found.excluded[0].study.read()


def damaged(image: Dataset) -> bytes:
    """Return a file whose compressed pixels are noise."""
    image.compress(JPEGLSLossless, generate_instance_uid=False)
    data = file_bytes(image)
    start = data.index(b"\xff\xd8\xff") + 64
    return data[:start] + b"\x55" * 2000 + data[start + 2000 :]


def deflated(image: Dataset) -> bytes:
    """Return a deflated file."""
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return file_bytes(image)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damaged, "damaged"),
        (deflated, "1.dcm is deflated"),
        (lambda image: file_bytes(image)[:140], "1.dcm is not a DICOM file that can be read: export it again."),
    ],
    ids=["damaged pixels", "deflated", "cut short"],
)
def test_unreadable_file_leaves_the_others(tmp_path: Path, spoil: Callable[[Dataset], bytes], said: str) -> None:
    """A DICOM file that cannot be read is a fault with a sentence, and those after it are read all the same."""
    lines = dicom_lines(tmp_path, *(scan(body_counts(seed=seed)) for seed in range(3)))
    (tmp_path / "1.dcm").write_bytes(spoil(scan(body_counts(seed=1))))
    found = survey(open_archive(write(tmp_path, lines)))
    assert len(found.seen) == 2
    (fault,) = found.faults
    assert fault.startswith("labels.csv, line 3: ")
    assert said in fault


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda: scan(body_counts(seed=1), study_uid=study_uid("other")), "These files are of several studies: give"),
        (lambda: scan(body_counts(seed=1), patient=OTHER_PATIENT), "The study holds objects of two patients"),
    ],
    ids=["two studies", "two patients"],
)
def test_folder_of_two_is_no_study(tmp_path: Path, other: Callable[[], Dataset], said: str) -> None:
    """A folder in which two studies, or two patients, lie together is refused, not read by chance."""
    (tmp_path / "scans").mkdir()
    dicom_lines(tmp_path / "scans", scan(), other())
    table = write(tmp_path, [{"patient": "1", "study": "scans", "metastasis": "0"}])
    assert said in refusal(open_archive(table).studies[0].read)


def test_dicom_file_of_the_wrong_size_is_left_out(tmp_path: Path) -> None:
    """A scan that the runtime declines for its shape is never read, and the reason says why."""
    square = changed(ImageType=["DERIVED", "SECONDARY"], Rows=128, Columns=128)()
    archive = open_archive(write(tmp_path, dicom_lines(tmp_path, square)))
    assert "has not the shape of a whole-body scan" in refusal(archive.studies[0].read)
    assert survey(archive).seen == ()


def test_names_of_other_files_stop_with_a_sentence(tmp_path: Path) -> None:
    """A DICOM line that names something else, and a DICOM file that no line names, are faults; an index is neither."""
    lines = dicom_lines(tmp_path, scan(), scan(body_counts(seed=1)))
    (tmp_path / "DICOMDIR").write_bytes(file_bytes(scan()))
    assert len(open_archive(write(tmp_path, lines)).studies) == 2
    assert "No line names 1.dcm: write one" in refusal(lambda: open_archive(write(tmp_path, lines[:1])))
    lines[1]["study"] = "labels.csv"
    assert "line 3: labels.csv is not a DICOM file" in refusal(lambda: open_archive(write(tmp_path, lines)))
    lines[1]["study"] = ""
    assert "line 3: A file is not named" in refusal(lambda: open_archive(write(tmp_path, lines)))


def test_one_scan_of_two_patients_is_a_fault(tmp_path: Path) -> None:
    """The same pixels under two patients are found, whatever the file is called and whichever view it is."""
    lines = png_lines(tmp_path)
    same = (tmp_path / lines[0]["anterior"]).read_bytes()
    (tmp_path / lines[3]["posterior"]).write_bytes(same)
    found = survey(open_archive(write(tmp_path, lines)))
    assert "labels.csv, line 5 and labels.csv, line 2 hold the same pixels, under two patients: find out" in refusal(
        found.archive
    )
    lines[3]["patient"] = lines[0]["patient"]
    assert survey(open_archive(write(tmp_path, lines))).faults == ()


def study(number: int, patient: str) -> Study:
    """Return a study that is never read."""
    return Study(f"line {number}", patient, PngPair(Path(f"{number}.png"), None))


PATIENTS = st.lists(st.sampled_from("abcdefghij"), max_size=30)


@given(patients=PATIENTS, others=PATIENTS, seed=st.integers(0, 99), chance=st.randoms(use_true_random=False))
def test_split_keeps_patients_whole(patients: list[str], others: list[str], seed: int, chance: Any) -> None:
    """No patient is on two sides, and neither order nor anybody else in the archive moves him."""
    studies = [study(number, patient) for number, patient in enumerate(patients)]
    shares: dict[str, Any] = {"seed": seed, "train": 0.5, "validate": 0.2, "test": 0.3}
    sides = sides_of(split(Archive(tuple(studies)), **shares))
    assert sum(map(len, sides)) == len(set(patients))
    more = studies + [study(100 + number, patient) for number, patient in enumerate(others)]
    chance.shuffle(more)
    again = sides_of(split(Archive(tuple(more)), **shares))
    assert [side & set(patients) for side in again] == sides


def sides_of(parts: Parts) -> list[set[str]]:
    """Return the patients of each side."""
    return [{study.patient for study in part.studies} for part in parts]


def test_split_takes_the_shares_asked_for() -> None:
    """The sides have about the sizes asked for, another seed draws other patients, and shares add up to 1."""
    archive = Archive(tuple(study(number, f"patient {number}") for number in range(2000)))
    parts = split(archive, seed=1, train=0.7, validate=0.1, test=0.2)
    assert [len(part.studies) / 2000 for part in parts] == pytest.approx([0.7, 0.1, 0.2], abs=0.04)
    assert sides_of(parts) != sides_of(split(archive, seed=2, train=0.7, validate=0.1, test=0.2))
    assert not split(archive, seed=1, train=0.7, validate=0.3, test=0).test.studies
    assert "add up to 1" in refusal(lambda: split(archive, seed=1, train=0.7, validate=0.1, test=0.1))


def test_given_split_is_kept(tmp_path: Path) -> None:
    """A column of sides is followed; an archive without it has none."""
    lines = png_lines(tmp_path)
    assert "is on no side" in refusal(lambda: given_split(open_archive(write(tmp_path, lines))))
    sides = ("test", "train", "test", "validate")
    lines = [line | {"split": side} for line, side in zip(lines, sides, strict=True)]
    parts = given_split(open_archive(write(tmp_path, lines)))
    assert sides_of(parts) == [{"p001"}, {"p003"}, {"p000", "p002"}]


def test_sites_are_joined_unless_they_share_a_patient() -> None:
    """A union keeps every study, and a patient in two archives stops it with a sentence."""
    one, other = Archive((study(1, "a"), study(2, "b"))), Archive((study(3, "c"),))
    assert [each.name for each in union(one, other).studies] == ["line 1", "line 2", "line 3"]
    shared = Archive((study(4, "b"),))
    assert "line 2 and line 4 give the same patient in two archives: keep" in refusal(lambda: union(one, other, shared))
    assert "line 1 and line 1 give the same patient" in refusal(lambda: union(one, one))


def test_check_shows_what_is_there(tmp_path: Path) -> None:
    """`check` counts patients, scans, positives, absent views and what is left out by site, and exits 0."""
    lines = [line | {"site": "AB"[n % 2], "exclude": ""} for n, line in enumerate(png_lines(tmp_path, patients=5))]
    (tmp_path / lines[0]["posterior"]).unlink()
    lines[0] |= {"posterior": "", "patient": lines[2]["patient"]}
    lines[4]["exclude"] = "no follow-up"
    ran = CliRunner().invoke(app, ["check", str(write(tmp_path, lines))], env={"COLUMNS": "80"})
    assert ran.exit_code == 0, ran.output
    rows = [re.split(r"\s{2,}", line.strip()) for line in ran.output.splitlines()]
    sites = [row for row in rows if row[0] in ("A", "B", "all")]
    assert all(float(row[6]) > 0 for row in sites)
    assert [row[:6] + row[7:] for row in sites] == [
        ["A", "1", "2", "0 of 2", "-", "1", "1"],
        ["B", "2", "2", "2 of 2", "-", "0", "0"],
        ["all", "3", "4", "2 of 4", "-", "1", "1"],
    ]
    assert ["1", "no follow-up"] in rows


@pytest.mark.parametrize("fault", ["missing label", "8 bits"])
def test_check_exits_1_with_a_sentence(tmp_path: Path, fault: str) -> None:
    """`check` fails with the sentence, whether the table or a picture is wrong."""
    lines = png_lines(tmp_path)
    if fault == "8 bits":
        paint(tmp_path / lines[1]["anterior"], body_counts(1)[0].astype(np.uint8))
    else:
        lines[1]["metastasis"] = ""
    ran = CliRunner().invoke(app, ["check", str(write(tmp_path, lines))])
    assert ran.exit_code == 1
    assert "labels.csv, line 3: " in ran.stderr
    assert "Traceback" not in ran.output


def test_help_describes_the_table() -> None:
    """`--help` says what a researcher must write: every column, and an example of both kinds."""
    told = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    for words in ("patient,study,metastasis", "patient,anterior,posterior", "perugini", "exclude", "split", "check"):
        assert words in told
