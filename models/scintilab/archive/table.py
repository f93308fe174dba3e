"""The CSV file of an archive on disk -> its studies. The docstring of the package says what stands in it."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO, cast, get_args

from scintiflow.errors import Refused
from scintilab.archive import Archive, Excluded, Part, Question, Source, Study
from scintilab.archive.dicom import DicomFiles, is_dicom
from scintilab.archive.faults import require_none
from scintilab.archive.png import PngPair
from scintilab.archive.split import given_split

HIGHEST = {"metastasis": 1, "perugini": 3, "cardiac": 1}
"""Column of labels -> the highest value; the lowest is 0."""

UPTAKE = 2
"""Perugini grade from which on cardiac uptake is called positive."""

UNKNOWN = "-"
_SEXES = ("F", "M", "O", "")
_PARTS = get_args(Part)
_OLDEST = 120

Kind = Literal["DICOM", "PNG"]
Cells = Mapping[str, str]


def open_archive(table: Path) -> Archive:
    """Read the table, and look whether every file is there and named; no pixel is read.

    Raises:
        Refused: the table or the folder is not as the package describes it; one line a fault.
    """
    columns, lines = _lines(table)
    kind = _kind(columns)
    studies, excluded, faults = [], [], []
    for number, cells in lines:
        name = f"{table.name}, line {number}"
        try:
            study = _study(name, cells, _source(kind, cells, table.parent))
        except Refused as refused:
            faults.append(f"{name}: {refused}")
            continue
        if reason := cells.get("exclude"):
            excluded.append(Excluded(study, reason))
        else:
            studies.append(study)
    require_none(faults)
    require_none(_misnamed(kind, table.parent, [*studies, *(each.study for each in excluded)]))
    archive = Archive(tuple(studies), tuple(excluded))
    if "split" in columns:
        given_split(archive)
    return archive


def _lines(table: Path) -> tuple[list[str], list[tuple[int, Cells]]]:
    """Return the columns, and the cells of each line with its number in the file."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=_delimiter(file), strict=True)
            columns = [cell.strip().lower() for cell in next(rows, [])]
            lines = [(rows.line_num, [cell.strip() for cell in row]) for row in rows if any(row)]
    except OSError as error:
        raise Refused(f"{table} cannot be opened ({error.strerror}): name the CSV file of the archive.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{table} is not a CSV file in UTF-8 ({error}): save it as one.") from error
    require_none(
        [
            f"{table.name}, line {number} has {len(cells)} cells, and the first line {len(columns)}: write one for "
            "each column, in double quotes where it holds the separator."
            for number, cells in lines
            if len(cells) != len(columns)
        ]
    )
    if len(set(columns)) < len(columns):
        raise Refused(f"{table.name} has two columns of one name: take one away.")
    return columns, [(number, dict(zip(columns, cells, strict=True))) for number, cells in lines]


def _delimiter(file: TextIO) -> str:
    """Return what separates the columns: spreadsheets write commas or semicolons, by country."""
    first = file.readline()
    file.seek(0)
    return max(",;\t", key=first.count)


def _kind(columns: list[str]) -> Kind:
    if "patient" not in columns or not HIGHEST.keys() & set(columns):
        raise Refused(f"The columns are not an archive's: write patient, files, and one of {', '.join(HIGHEST)}.")
    kinds: dict[tuple[bool, ...], Kind] = {(True, False, False): "DICOM", (False, True, True): "PNG"}
    kind = kinds.get(tuple(column in columns for column in ("study", "anterior", "posterior")))
    if kind is None:
        raise Refused("The files of a line are in one column, study, or in two, anterior and posterior: write either.")
    return kind


def _source(kind: Kind, cells: Cells, folder: Path) -> Source:
    if kind == "DICOM":
        return DicomFiles(tuple(path for said in cells["study"].split("|") for path in _objects(said.strip(), folder)))
    anterior, posterior = (_picture(cells[view], folder) for view in ("anterior", "posterior"))
    if not (anterior or posterior):
        raise Refused("No picture is named: write the file of one view, or of both.")
    return PngPair(anterior, posterior)


def _objects(said: str, folder: Path) -> list[Path]:
    path = _there(said, folder)
    objects = _below(path, "DICOM") if path.is_dir() else [path]
    if not objects or not all(map(is_dicom, objects)):
        raise Refused(f"{said} is not a DICOM file, nor a folder of them: name the files of the study.")
    return objects


def _picture(said: str, folder: Path) -> Path | None:
    path = _there(said, folder) if said else None
    if path and (path.is_dir() or path.suffix.lower() != ".png"):
        raise Refused(f"{said} is not a PNG file: name one picture, with its ending.")
    return path


def _there(said: str, folder: Path) -> Path:
    if not said:
        raise Refused("A file is not named: write it in the column study.")
    path = folder / said
    if not path.exists():
        raise Refused(f"{said} is not there: correct the name, which starts at the folder of the CSV.")
    return path


def _below(folder: Path, kind: Kind) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if (path.suffix.lower() == ".png" if kind == "PNG" else is_dicom(path))]


def _misnamed(kind: Kind, folder: Path, studies: list[Study]) -> list[str]:
    """Say which files two lines name, and which no line does."""
    named: dict[Path, Study] = {}
    faults = []
    for study in studies:
        for path in map(Path.resolve, study.source.files):
            if path in named:
                faults.append(f"{study.name} names {path.name}, which {named[path].name} names already: correct one.")
            named[path] = study
    return faults + [
        f"No line names {path.relative_to(folder)}: write one, with a reason in the column exclude if it is not to be "
        "read, or move the file away."
        for path in _below(folder, kind)
        if path.resolve() not in named
    ]


def _study(name: str, cells: Cells, source: Source) -> Study:
    patient = "".join(cells["patient"].split()).casefold()
    if not patient:
        raise Refused("The patient is missing: write what all scans of this person share.")
    grade = _label(cells, "perugini")
    return Study(
        name=name,
        patient=patient,
        source=source,
        truth=_truth(_label(cells, "metastasis"), _label(cells, "cardiac"), grade),
        perugini=grade,
        site=cells.get("site", ""),
        age=_age(cells.get("age", "")),
        sex=_one_of(_SEXES, "sex", cells.get("sex", "").upper()),
        tracer=cells.get("tracer", ""),
        part=_part(cells),
    )


def _label(cells: Cells, column: str) -> int | None:
    """Return a label; None where nobody knows it, or the study is not to be read anyhow."""
    said = cells.get(column, UNKNOWN)
    allowed = [str(value) for value in range(HIGHEST[column] + 1)]
    if said == UNKNOWN or (not said and cells.get("exclude")):
        return None
    if not said:
        raise Refused(
            f"The label {column} is missing: write one of {', '.join(allowed)}, a hyphen where nobody knows it, "
            "or a reason in the column exclude."
        )
    return int(_one_of(allowed, column, said))


def _truth(metastasis: int | None, cardiac: int | None, grade: int | None) -> dict[Question, bool]:
    graded = None if grade is None else int(grade >= UPTAKE)
    if None not in (cardiac, graded) and cardiac != graded:
        raise Refused(f"cardiac and perugini contradict each other: cardiac is 1 from grade {UPTAKE} on; correct one.")
    said: dict[Question, int | None] = {"metastasis": metastasis, "cardiac": cardiac if graded is None else graded}
    return {question: bool(label) for question, label in said.items() if label is not None}


def _age(said: str) -> float | None:
    if not said:
        return None
    if not re.fullmatch(r"\d{1,3}(\.\d+)?", said) or float(said) > _OLDEST:
        raise Refused(f"The age {said} is none: write years, or nothing.")
    return float(said)


def _part(cells: Cells) -> Part | None:
    if "split" not in cells or cells.get("exclude"):
        return None
    return cast(Part, _one_of(_PARTS, "split", cells["split"].lower()))


def _one_of(allowed: Sequence[str], column: str, said: str) -> str:
    if said not in allowed:
        raise Refused(f"{said!r} is no {column}: write one of {', '.join(filter(None, allowed))}.")
    return said
