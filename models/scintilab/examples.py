"""Writes example studies: the first patients of a population that nobody learns from, whatever is read from them.

Rebuilding them with the same versions gives the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless

from scintiflow.dicom.canvas import canvas_view
from scintilab.phantom.acquisition import draw_acquisition, noise_of
from scintilab.phantom.camera import scan
from scintilab.phantom.patient import Disease, draw_disease, draw_patient
from scintilab.phantom.study import study

SITE = "A"
SEED = 20250
"""Of a population far from the one that parts are made of."""

Kinds = Mapping[str, Callable[[Disease], bool]]


def examples(out: Path, kinds: Kinds, *, first: int, each: int) -> None:
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


def canvas(is_one: Callable[[Disease], bool], first: int) -> NDArray[np.float32]:
    """Return the canvas [2, 512, 256] of the first such patient: golden outputs are of these."""
    number = next(numbers(is_one, first))
    return np.stack([canvas_view(view) for view in _counts(number)])


def example(number: int) -> Dataset:
    """Scan one simulated patient and describe the scan as a study of its own."""
    patient, how = draw_patient(SEED, SITE, number), draw_acquisition(SEED, SITE, number)
    return study(patient, how, _counts(number), number=number, transfer_syntax=JPEGLSLossless)


def _counts(number: int) -> NDArray[np.uint16]:
    patient, how = draw_patient(SEED, SITE, number), draw_acquisition(SEED, SITE, number)
    return scan(patient, how, noise_of(SEED, SITE, number))


def numbers(is_one: Callable[[Disease], bool], first: int) -> Iterator[int]:
    """Return the numbers of such patients, from the first on, without end."""
    return (number for number in count(first) if is_one(draw_disease(SEED, SITE, number)))
