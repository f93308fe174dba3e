"""A model judged on a hospital's own archive: real scans, known labels, no phantom to ask for more."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintiflow.inference.session import Floats
from scintilab.archive import Question, Study, read
from scintilab.archive.survey import Seen, Survey
from scintilab.evaluate.answers import Pixels, Reader
from scintilab.evaluate.bootstrap import RESAMPLES, Values
from scintilab.evaluate.drawn import Drawn, draw
from scintilab.evaluate.evaluation import Beside, Evaluation, evaluate
from scintilab.evaluate.hot_spots import hot_spots
from scintilab.evaluate.provenance import provenance
from scintilab.evaluate.question import QUESTIONS
from scintilab.evaluate.scans import Scans

ARCHIVE = "the archive"
MADE_ON = "A (simulated)"
"""Where the served models were made: at no site of an archive."""
AT_ONCE = 16


def judge(question: Question, reader: Reader, found: Survey, *, resamples: int = RESAMPLES) -> tuple[Evaluation, Drawn]:
    """Return what was measured, and the scans it was measured of.

    Scans without a view that the model requires are left, as the runtime does not assess them. A patient's scans are in
    the order of the lines.

    Raises:
        Refused: the archive has faults, or no scan that can be judged.
    """
    found.archive()
    seen = [each for each in found.seen if question in each.study.truth]
    if not seen:
        raise Refused(f"No scan of the archive has a label for {question}: add the column, or ask another question.")
    studies = [each.study for each in seen]
    answers = reader.ask(_pixels(seen), f"The archive, {question}")
    required = [("anterior", "posterior").index(view) for view in reader.manifest.requires]
    complete = np.flatnonzero(answers.present[:, required].all(1))
    if not len(complete):
        raise Refused("No scan of the archive has the views that the model requires.")
    scans = _table(question, studies, answers.probability).part(complete)
    drawn = draw(scans, made_on=MADE_ON, resamples=resamples)
    asked = QUESTIONS[question]
    evaluation = evaluate(
        drawn,
        reader.manifest.threshold,
        data=ARCHIVE,
        edges=asked.edges,
        prevalences=asked.prevalences,
        beside=Beside(baselines={"hot spots": _hot_spots([studies[row] for row in complete])}),
        provenance=provenance(reader, simulated=False),
    )
    return evaluation, drawn


def _pixels(seen: Sequence[Seen]) -> Pixels:
    def some(rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        batch = read([seen[row].study for row in rows])
        return batch.canvas, batch.present

    named = "\n".join(" ".join(each.digests) for each in seen)
    return Pixels(len(seen), hashlib.sha256(named.encode()).hexdigest(), some)


def _table(question: Question, studies: Sequence[Study], probability: NDArray[np.floating]) -> Scans:
    strata = {"tracer": np.array([study.tracer or "unknown" for study in studies])}
    strata["sex"] = np.array([study.sex or "unknown" for study in studies])
    if question == "cardiac":
        strata["Perugini"] = np.array(["-" if study.perugini is None else str(study.perugini) for study in studies])
    return Scans(
        patient=np.array([study.patient for study in studies]),
        site=np.array([study.site or "archive" for study in studies]),
        visit=np.arange(len(studies)),
        truth=np.array([study.truth[question] for study in studies]),
        probability=probability,
        strata=strata,
    )


def _hot_spots(studies: Sequence[Study]) -> Values:
    starts = range(0, len(studies), AT_ONCE)
    return np.concatenate([hot_spots(read(studies[start : start + AT_ONCE]).canvas) for start in starts])
