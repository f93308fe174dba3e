"""Labelled bone scans, wherever they come from: simulated cohorts, DICOM files, or pairs of 16-bit PNG pictures.

An archive on disk is a CSV file (UTF-8; commas, semicolons or tabs) with one line for each study, in the folder that
holds the scans, or above it. File names are relative to the CSV. Two kinds of it:

DICOM files; a study is a file, a folder, or several of them with | in between:

    patient,study,metastasis,perugini,site,age,sex,tracer
    P001,P001/2024-03-01,1,0,Vienna,71,F,DPD
    P002,ant.dcm|post.dcm,0,-,Vienna,64,M,DPD

PNG pictures, plain grey of 16 bits, both views of one size, the posterior one as seen from behind:

    patient,anterior,posterior,metastasis
    17,images/17_ant.png,images/17_post.png,1

- `patient`: what all scans of one person share; upper and lower case and blanks do not matter.
- `study`, or `anterior` and `posterior`: the files. The views of DICOM files are found by the runtime's own rules. A
  view of a PNG pair that was not made stays empty. Every DICOM or PNG file below the CSV is named by one line.
- `metastasis` (0 or 1), `perugini` (0 to 3), `cardiac` (0 or 1; the same as Perugini 2 or 3): at least one of these
  columns. A label that nobody knows is a hyphen; an empty one is a fault.
- `site`, `age` (years), `sex` (F, M or O), `tracer`: as far as known.
- `split`: train, validate or test, the same for all scans of a patient.
- `exclude`: why this study is not to be read; its labels may stay empty then.

Other columns are passed over. Scans that the runtime would not read either (blood pools, children, SPECT) are excluded,
with its reason; whatever else is wrong stops with a sentence.

Pixels are counts. Pictures stretched to the full range of 16 bits are read too, but have lost what a model may know
about count statistics.

In Python, look an archive over, split it by patient, and read as much at a time as memory holds:

    archive = survey(open_archive(Path("labels.csv"))).archive()
    parts = split(archive.asked("cardiac"), seed=1, train=0.7, validate=0.1, test=0.2)
    for studies, canvas, present in parts.train.batches(8):
        ...
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused

Question = Literal["metastasis", "cardiac"]
Part = Literal["train", "validate", "test"]

THREADS = os.cpu_count()
"""As many as the runtime keeps decoding children warm."""


class Scan(NamedTuple):
    """One study as a classifier takes it."""

    canvas: NDArray[np.float32]
    """[2, 512, 256]: anterior, posterior; mean counts per canvas pixel, zeros for an absent view."""
    present: NDArray[np.float32]
    """[2]: 1 for a view that is there, else 0."""


class Source(Protocol):
    """Where a scan lies."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it is read from; () when it is not in files of its own."""

    def read(self) -> Scan:
        """Read it.

        Raises:
            Declined: it is sound, and not for us.
            Refused: it is not what an archive holds, or cannot be read.
            Unavailable: no decoder could be started.
        """


@dataclass(frozen=True)
class Study:
    """A scan that has not been read yet, and what is known about it."""

    name: str
    """Where it stands, for sentences: "labels.csv, line 12"."""
    patient: str
    source: Source
    truth: Mapping[Question, bool] = field(default_factory=dict)
    """The questions whose answer is known."""
    perugini: int | None = None
    site: str = ""
    age: float | None = None
    sex: str = ""
    tracer: str = ""
    part: Part | None = None
    """The side of a given split."""

    def read(self) -> Scan:
        """Read the scan (see `Source.read`); a refusal names the study."""
        try:
            return self.source.read()
        except Refused as error:
            raise type(error)(f"{self.name}: {error}") from error


class Excluded(NamedTuple):
    """A study that is not read, and why."""

    study: Study
    reason: str


class Batch(NamedTuple):
    """Some studies, read."""

    studies: Sequence[Study]
    canvas: NDArray[np.float32]
    """[n, 2, 512, 256]."""
    present: NDArray[np.float32]
    """[n, 2]."""


@dataclass(frozen=True)
class Archive:
    """Studies in order; their pixels stay where they are until they are asked for."""

    studies: tuple[Study, ...]
    excluded: tuple[Excluded, ...] = ()

    def asked(self, question: Question) -> "Archive":
        """Return the studies for which the answer to a question is known."""
        return Archive(tuple(study for study in self.studies if question in study.truth), self.excluded)

    def batches(self, size: int) -> Iterator[Batch]:
        """Read everything in order, so many studies at a time; the last batch may be smaller."""
        for start in range(0, len(self.studies), size):
            yield read(self.studies[start : start + size])


def read(studies: Sequence[Study]) -> Batch:
    """Read some studies at once, by threads: a forked process must not share its parent's decoders."""
    with ThreadPoolExecutor(THREADS) as pool:
        scans = list(pool.map(Study.read, studies))
    return Batch(studies, np.stack([scan.canvas for scan in scans]), np.stack([scan.present for scan in scans]))
