"""Looks an archive over before anything learns from it: `python -m scintilab.archive check labels.csv`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, get_args

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import scintilab.archive
from scintiflow.errors import ScintiflowError
from scintilab.archive import Excluded, Question
from scintilab.archive.survey import Seen, Survey, survey
from scintilab.archive.table import open_archive

QUESTIONS: tuple[Question, ...] = get_args(Question)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # they may hold what a patient is called
)


@app.callback(help=scintilab.archive.__doc__)
def archive() -> None:
    """Keep `check` a verb."""


@app.command()
def check(table: Annotated[Path, typer.Argument(metavar="CSV", help="The table of the archive.")]) -> None:
    """Read every scan, show what is there, and say what is wrong; exit 1 if anything is."""
    screen = Console(highlight=False, markup=False)
    try:
        found = survey(open_archive(table))
        screen.print(contents(found))
        screen.print(left_out(found.excluded) if found.excluded else "Nothing is left out.")
        found.archive()
    except ScintiflowError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def contents(found: Survey) -> Table:
    """Return a line for each site, and one for all of them; labels are shown as positive of known."""
    columns = ("site", "patients", "scans", *QUESTIONS, "view\nmissing", "counts\na pixel", "left\nout")
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))  # narrow enough for 80 columns
    left_at = Counter(each.study.site for each in found.excluded)
    sites = sorted({each.study.site for each in found.seen} | left_at.keys())
    for site in sites if len(sites) > 1 else ():
        seen = [each for each in found.seen if each.study.site == site]
        table.add_row(site or "(none)", *_counted(seen), str(left_at[site]))
    table.add_row("all", *_counted(found.seen), str(len(found.excluded)))
    return table


def left_out(excluded: Iterable[Excluded]) -> Table:
    """Return a line for each reason, the commonest first."""
    table = Table("left out", "why", box=SIMPLE_HEAD)
    for reason, count in Counter(each.reason for each in excluded).most_common():
        table.add_row(str(count), reason)
    return table


def _counted(seen: Sequence[Seen]) -> tuple[str, ...]:
    return (
        str(len({each.study.patient for each in seen})),
        str(len(seen)),
        *(_positives(seen, question) for question in QUESTIONS),
        str(sum(not each.complete for each in seen)),
        f"{median(each.counts for each in seen):.1f}" if seen else "",
    )


def _positives(seen: Sequence[Seen], question: Question) -> str:
    known = [each.study.truth[question] for each in seen if question in each.study.truth]
    return f"{sum(known)} of {len(known)}" if known else "-"


if __name__ == "__main__":
    app()
