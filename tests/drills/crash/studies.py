"""What is sent in a drill: studies without end, each with UIDs and a patient of its own."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from scintiflow.receiver.part import file_meta
from scintiflow.records import State
from tests.builders import ANTERIOR, POSTERIOR, one_view
from tests.stack import EXAMPLES

CANARY = "CANARY"
"""Begins every name and every number of a patient; no log may hold it."""


@dataclass(frozen=True)
class Study:
    """One study to be sent, object after object."""

    uid: str
    kind: str
    patient: tuple[str, str]
    """Patient ID and name."""
    accession: str
    objects: tuple[Dataset, ...]
    times: int
    """How often all of it is sent."""
    end: State


KINDS = {"a scan": 14, "one view an object": 2, "sent twice": 2, "not for us": 2}
"""Kind of study -> how many of twenty are of it."""


def studies(seed: int) -> Iterator[Study]:
    """Yield studies without end; the same ones for the same seed."""
    chance = random.Random(seed)
    for number in count():
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        yield _study(kind, number, seed)


def digest(image: Dataset) -> str:
    """Return the SHA-256 of an object as the store must keep it."""
    syntax = image.file_meta.TransferSyntaxUID
    data = encode(image, syntax.is_implicit_VR, syntax.is_little_endian)
    assert data is not None
    return hashlib.sha256(file_meta(image.SOPClassUID, image.SOPInstanceUID, syntax) + data).hexdigest()


def _study(kind: str, number: int, seed: int) -> Study:
    uid, patient = generate_uid(), (f"{CANARY}-{seed}-{number}", f"{CANARY}^Number{number}")
    images = [one_view(ANTERIOR), one_view(POSTERIOR)] if kind == "one view an object" else [_example(number)]
    for image in images:
        image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = uid, generate_uid(), generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.PatientID, image.PatientName = patient
        image.AccessionNumber = f"{seed}-{number}"[-16:]
        if kind == "not for us":
            image.ImageType = ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]
    return Study(
        uid=uid,
        kind=kind,
        patient=patient,
        accession=images[0].AccessionNumber,
        objects=tuple(images),
        times=2 if kind == "sent twice" else 1,
        end="declined" if kind == "not for us" else "delivered",
    )


def _example(number: int) -> Dataset:
    return dcmread(EXAMPLES[number % len(EXAMPLES)])
