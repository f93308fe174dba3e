"""Judges a served model: `python -m scintilab.evaluate metastasis`, or `cardiac`.

A model made on site A is asked about simulated patients of five sites that it never saw, each site judged by itself.
Written are `evaluation.json` and the tables of `CARD.md` in the model's folder, and a page with pictures and checklists
in `build/evaluate`. Patients and answers are kept: a run that was cut off goes on, and a second one is quick.

With `--archive labels.csv` the same model is judged on scans of your own (`python -m scintilab.archive --help` says how
to lay them out); the model's folder stays as it is, and everything lands in `build/evaluate`.

What only people can say, for the checklists, stands in `study.toml` in the model's folder.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from scintiflow.errors import Refused, ScintiflowError
from scintiflow.inference.manifest import EngineName, Manifest, Precision, load
from scintilab.archive import Question
from scintilab.archive.survey import survey
from scintilab.archive.table import open_archive
from scintilab.evaluate import hospital, simulated
from scintilab.evaluate.answers import Reader, open_reader
from scintilab.evaluate.bootstrap import RESAMPLES
from scintilab.evaluate.card import card, revised
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.evaluation import Evaluation
from scintilab.evaluate.question import QUESTIONS
from scintilab.evaluate.report import report
from scintilab.evaluate.tables import Published, shown
from scintilab.parts import JUDGES, part

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # they may hold what a patient is called
)


@app.command(help=__doc__, no_args_is_help=True)
def judge(
    question: Annotated[Question, typer.Argument(help="What the model answers.")],
    model: Annotated[Path | None, typer.Option(help="Served folder.  [default: models/QUESTION]")] = None,
    work: Annotated[Path, typer.Option(help="Folder of patients and kept answers.")] = Path("build/models"),
    out: Annotated[Path, typer.Option(help="Folder for pages.")] = Path("build/evaluate"),
    archive: Annotated[Path | None, typer.Option(metavar="CSV", help="Judge on these scans instead.")] = None,
    rerun: Annotated[
        list[Path] | None, typer.Option(metavar="GRAPH", help="The same network from another seed; may be repeated.")
    ] = None,
    engine: Annotated[EngineName | None, typer.Option(help="What runs the model; else as its manifest says.")] = None,
    precision: Annotated[Precision | None, typer.Option(help="How; else as its manifest says.")] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the simulated patients.")] = 1.0,
    resamples: Annotated[int, typer.Option(min=1, help="Of patients, for the intervals.")] = RESAMPLES,
) -> None:
    """Ask the model about every scan, measure, and write what was found."""
    try:
        if precision == "int8":
            raise Refused(f"What int8 changes is judged by python -m scintilab.int8 {question}.")
        manifest = load(model or Path("models") / question)
        said = {"name": engine or manifest.engine.name, "precision": precision or manifest.engine.precision}
        reader = open_reader(manifest, work / "answers", manifest.engine.model_copy(update=said))
        if archive is None:
            found = on_simulated(question, reader, work, out, share=share, reruns=rerun or (), resamples=resamples)
        else:
            found = on_archive(question, reader, archive, out, resamples=resamples)
    except ScintiflowError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    Console(highlight=False, markup=False).print(summary(f"{manifest.name} {manifest.version}", found))


def on_simulated(
    question: Question,
    reader: Reader,
    work: Path,
    out: Path,
    *,
    share: float,
    reruns: Sequence[Path],
    resamples: int,
) -> Evaluation:
    """Judge on simulated patients; write evaluation.json and tables into the model's folder, and the page."""
    folder, patients, published = reader.manifest.folder, work / "patients", QUESTIONS[question].published
    text = _card(folder)
    sites = [part(name, patients, share) for name in JUDGES]
    found, drawn = simulated.judge(
        question, reader, part("train", patients, share), sites, work / "random", reruns=reruns, resamples=resamples
    )
    found.write(folder / "evaluation.json")
    (folder / "CARD.md").write_text(revised(text, card(found, published)), encoding="utf-8")
    _write_page(reader.manifest, found, drawn, out / f"{question}.html", published)
    return found


def on_archive(question: Question, reader: Reader, table: Path, out: Path, *, resamples: int) -> Evaluation:
    """Judge on a hospital's scans; write evaluation and page into `out`."""
    found, drawn = hospital.judge(question, reader, survey(open_archive(table)), resamples=resamples)
    _write_page(reader.manifest, found, drawn, out / f"{question}-archive.html", QUESTIONS[question].published)
    found.write(out / f"{question}-archive.json")
    return found


def summary(name: str, found: Evaluation) -> Table:
    """Return a line for each site, and what stands beside the model."""
    lines = Table("", "scans", "AUC", "TPR", "TNR", title=f"{name}: {found.data}", box=SIMPLE_HEAD)
    for site, measured in found.sites.items():
        rates = (shown(measured.auc), shown(measured.tpr), shown(measured.tnr))
        lines.add_row(f"site {site}", str(measured.n), *rates)
    mean = found.mean
    lines.add_row(f"mean of {', '.join(mean.sites)}", "", shown(mean.auc), shown(mean.tpr), shown(mean.tnr))
    for rival, baseline in found.baselines.items():
        lines.add_row(f"{rival}, no model: mean", "", shown(baseline.mean_auc), "", "")
    return lines


def _card(folder: Path) -> str:
    """Read CARD.md before hours of work, and look whether the tables have a place."""
    try:
        text = (folder / "CARD.md").read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{folder.name}/CARD.md cannot be read: write the card of the model first.") from error
    revised(text, "")
    return text


def _write_page(manifest: Manifest, found: Evaluation, drawn: Drawn, path: Path, published: Published) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    name, study = f"{manifest.name} {manifest.version}", _study(manifest.folder)
    path.write_text(report(name, found, drawn, published=published, study=study), encoding="utf-8")


def _study(folder: Path) -> Mapping[str, str]:
    """Read what only people can say; nothing where nobody wrote it down."""
    path = folder / "study.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


if __name__ == "__main__":
    app()
