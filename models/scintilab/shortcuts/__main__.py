"""Looks for shortcuts before anything is trained: `python -m scintilab.shortcuts`.

At each of five sites, and among the patients that a model learns from, classifiers try to tell sick from healthy by how
the scan was made, by pictures without the disease, and by twins: the same patients in the same noise, with the disease
removed. One line each says how well they did, for both questions; exit 1 if any did better than chance and nature does
not explain it.

Simulated patients and their twins are made once and kept.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scintiflow.errors import ScintiflowError
from scintiflow.inference.manifest import load
from scintilab.archive import Question
from scintilab.evaluate.answers import Reader, open_reader
from scintilab.evaluate.bootstrap import RESAMPLES, Values
from scintilab.evaluate.learner import LEARNERS
from scintilab.evaluate.question import QUESTIONS, Rival
from scintilab.evaluate.simulated import pixels
from scintilab.evaluate.tables import shown
from scintilab.parts import JUDGES, part
from scintilab.phantom.cohort import Cohort
from scintilab.shortcuts.suspect import Suspect, suspects, twins_of
from scintilab.shortcuts.verdict import Verdict, verdicts

TRAIN = "A, to learn from"
ON_TWINS: Mapping[Question, Sequence[str]] = {
    "metastasis": ("lesion locations", "hot spot locations", "hot spots"),
    "cardiac": ("heart ratio", "hot spots"),
}
"""Baselines that read the disease, so twins must all look healthy to them."""

Pair = tuple[Cohort, Cohort]
"""Scans, and their twins without disease."""

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_show_locals=False)


@app.command(help=__doc__)
def shortcuts(
    work: Annotated[Path, typer.Option(help="Folder of patients and kept answers.")] = Path("build/models"),
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the simulated patients.")] = 1.0,
    model: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="A served model, to be asked about twins; repeatable.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=2, help="Of patients, for the intervals.")] = RESAMPLES,
) -> None:
    """Try every shortcut, and show one table."""
    try:
        readers = {folder.name: open_reader(load(folder), work / "answers") for folder in model or ()}
        patients = work / "patients"
        train, *sites = (part(name, patients, share) for name in ("train", *JUDGES))
        pairs = {site.site: (site, twins_of(site, patients)) for site in sites}
        found = judged((train, twins_of(train, patients)), pairs, readers, resamples)
    except ScintiflowError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    Console(highlight=False, markup=False).print(table(found))
    raise typer.Exit(int(any(verdict.shortcut for verdict in found)))


def judged(
    train: Pair, sites: Mapping[str, Pair], readers: Mapping[str, Reader], resamples: int = RESAMPLES
) -> list[Verdict]:
    """Judge both questions.

    Args:
        train: scans that a model and fitted scores learn from, and their twins.
        sites: scans of those who judge and their twins, by site.
        readers: trained models, by question.
        resamples: of patients.
    """
    questions: tuple[Question, ...] = get_args(Question)
    return [
        verdict
        for question in questions
        for verdict in verdicts(question, _tried(question, train, sites, readers, resamples), tables=len(questions))
    ]


def table(found: Sequence[Verdict]) -> Table:
    """Return one line a verdict."""
    title = "Can sick be told from healthy without the disease? AUC (simulated patients; all intervals hold with 95 %)"
    lines = Table("question", "by", "site", *LEARNERS, "score", "verdict", title=title, box=SIMPLE_HEAD)
    for verdict in found:
        areas = (shown(verdict.areas.get(name), 2) if verdict.areas else "" for name in (*LEARNERS, "score"))
        style = "bold red" if verdict.shortcut else ""
        lines.add_row(verdict.question, verdict.suspect, verdict.site, *areas, str(verdict), style=style)
    return lines


def _tried(
    question: Question, train: Pair, sites: Mapping[str, Pair], readers: Mapping[str, Reader], resamples: int
) -> dict[str, tuple[Cohort, list[Suspect]]]:
    """Return who is tried where. Scores are not tried on those whom they were fitted to."""
    rivals = QUESTIONS[question].rivals(train[0])
    scores: dict[str, Rival] = {name: rivals[name] for name in ON_TWINS[question]}
    if question in readers:
        scores["model"] = partial(_asked, readers[question])
    pairs = {TRAIN: train, **sites}
    return {
        site: (scans, suspects(question, scans, same, {} if site == TRAIN else scores, resamples=resamples))
        for site, (scans, same) in track(pairs.items(), f"Shortcuts to {question}", total=len(pairs))
    }


def _asked(reader: Reader, cohort: Cohort) -> Values:
    return reader.ask(pixels(cohort), f"Twins of site {cohort.site}").probability.astype(float)


if __name__ == "__main__":
    app()
