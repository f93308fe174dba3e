"""Writes example studies: the first patients of a population that nobody learns from, whatever is read from them.

Rebuilding them with the same versions gives the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless

from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import scan
from scintilab.phantom.patient import Disease, draw_disease, draw_patient
from scintilab.phantom.study import study

SITE = "A"
SEED = 20250
"""Of a population far from the one that parts are made of."""

Kinds = Mapping[str, Callable[[Disease], bool]]


def examples(out: Path, kinds: Kinds, *, first: int, each: int = 4) -> None:
    """Write NM files, losslessly compressed, named by kind and number from 1.

    Args:
        out: folder to write.
        kinds: name -> whose scan it is.
        first: number from which on patients are looked at; other models' examples are other patients.
        each: how many of each kind.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, is_one in kinds.items():
        for place, number in enumerate(islice(numbers(is_one, first), each), start=1):
            example(number).save_as(out / f"{name}-{place}.dcm", enforce_file_format=True)


def example(number: int) -> Dataset:
    """Scan one simulated patient and describe the scan as a study of its own."""
    patient, how = draw_patient(SEED, SITE, number), draw_acquisition(SEED, SITE, number)
    counts = scan(patient, how, noise_of(SEED, SITE, number))
    return study(patient, how, counts, number=number, transfer_syntax=JPEGLSLossless)


def numbers(is_one: Callable[[Disease], bool], first: int) -> Iterator[int]:
    """Return the numbers of such patients, from the first on, without end."""
    return (number for number in count(first) if is_one(draw_disease(SEED, SITE, number)))
