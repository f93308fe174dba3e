"""Which patients a model learns from, and which it is judged by: never the same."""

import hashlib
from collections.abc import Iterable
from math import isclose
from typing import NamedTuple, get_args

from scintiflow.errors import Refused
from scintilab.archive import Archive, Part, Study
from scintilab.archive.faults import require_none

PARTS: tuple[Part, ...] = get_args(Part)


class Parts(NamedTuple):
    """An archive in three, no patient in two of them."""

    train: Archive
    validate: Archive
    test: Archive


def split(archive: Archive, *, seed: int, train: float, validate: float, test: float) -> Parts:
    """Split by patient, in about these shares.

    Patient and seed alone decide, so a patient stays on his side whoever else is in the archive.

    Raises:
        Refused: the shares do not add up to 1.
    """
    if min(train, validate, test) < 0 or not isclose(train + validate + test, 1):
        raise Refused("The shares of train, validate and test do not add up to 1: correct them.")
    return _parts(
        (study, PARTS[(drawn >= train) + (drawn >= train + validate)])
        for study, drawn in ((study, _drawn(study.patient, seed)) for study in archive.studies)
    )


def given_split(archive: Archive) -> Parts:
    """Split as the column `split` says.

    Raises:
        Refused: a study is on no side, or a patient on two; one line for each.
    """
    without = [study for study in archive.studies if study.part is None]
    require_none(
        [f"{study.name} is on no side: write train, validate or test in the column split." for study in without]
    )
    parts = _parts((study, study.part) for study in archive.studies)
    require_none(
        [
            f"{one.name} and {other.name} are of one patient, who is on both sides, {one.part} and {other.part}: "
            "put all scans of a patient on one side."
            for one, other in _shared(parts)
        ]
    )
    return parts


def union(*archives: Archive) -> Archive:
    """Join archives that have no patient in common, such as sites.

    Raises:
        Refused: a patient is in two of them; one line for each.
    """
    require_none(
        [
            f"{one.name} and {other.name} give the same patient in two archives: keep a person's scans in one archive, "
            "and call other people otherwise, for example with the site before the number."
            for one, other in _shared(archives)
        ]
    )
    return Archive(
        tuple(study for archive in archives for study in archive.studies),
        tuple(excluded for archive in archives for excluded in archive.excluded),
    )


def _drawn(patient: str, seed: int) -> float:
    """Return a number from 0 to 1 that looks random and is the same every time."""
    return int.from_bytes(hashlib.sha256(f"{seed} {patient}".encode()).digest()[:8]) / 2**64


def _parts(placed: Iterable[tuple[Study, Part | None]]) -> Parts:
    sides: dict[Part | None, list[Study]] = {part: [] for part in PARTS}
    for study, part in placed:
        sides[part].append(study)
    return Parts(*(Archive(tuple(sides[part])) for part in PARTS))


def _shared(archives: Iterable[Archive]) -> list[tuple[Study, Study]]:
    """Return studies of patients who are in several archives, each with the one that was there first."""
    first: dict[str, tuple[int, Study]] = {}
    shared = []
    for number, archive in enumerate(archives):
        for study in archive.studies:
            home, earlier = first.setdefault(study.patient, (number, study))
            if home != number:
                shared.append((earlier, study))
    return shared
