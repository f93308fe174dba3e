"""Make a classifier's graph in int8, and judge it: `python -m scintilab.int8 metastasis`.

Convolutions are quantised after training, from scans of the validation part. It is shipped, beside the graph itself,
only where its AUC and its maps are as good; an operator chooses it with SCINTIFLOW_CLASSIFIER_PRECISION=int8.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineChoice, Int8, Manifest, Tolerance, load
from scintilab.archive import Question
from scintilab.evaluate.answers import Pixels, open_reader
from scintilab.evaluate.card import Marks, revised
from scintilab.evaluate.question import QUESTIONS
from scintilab.evaluate.simulated import pixels
from scintilab.int8.gate import judge
from scintilab.int8.quantise import Scan, quantised
from scintilab.parts import part
from scintilab.training import command

FILE = "int8.onnx"
TOLERANCE = Tolerance(probability=0.08, map=0.2)
TABLE = """
[int8] # judged in CARD.md
file = "{file}"
digest = "{digest}"

[int8.tolerance]
probability = {probability}
map = {map} # of the golden map's maximum
"""

MARKS = Marks("<!-- int8: written by `make int8` -->", "<!-- end of int8 -->")

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_show_locals=False)


@app.command(help=__doc__, no_args_is_help=True)
def make(
    question: Annotated[Question, typer.Argument(help="What the model answers.")],
    model: Annotated[Path | None, typer.Option(help="Served folder.  [default: models/QUESTION]")] = None,
    work: Annotated[Path, typer.Option(help="Folder of patients and kept answers.")] = Path("build/models"),
    scans: Annotated[int, typer.Option(min=1, help="From which ranges are learnt.")] = 64,
    share: command.Share = 1.0,
) -> None:
    """Quantise, judge, and write int8.onnx and the manifest's table, or remove both."""
    with command.sentences():
        folder = model or Path("models") / question
        manifest, text = load(folder), (folder / "CARD.md").read_text(encoding="utf-8")
        revised(text, "", MARKS)  # refuses before the work where there is no place for what is found
        _withdraw(manifest)
        learnt, judges = part("validate", work / "patients", share), part("A", work / "patients", share)
        asked = QUESTIONS[question]
        judges = judges.part(asked.eligible(judges))
        tried = _on_trial(manifest, quantised(manifest.graph(), _scans(pixels(learnt), scans)), work / "int8")
        judged = judge(
            open_reader(manifest, work / "answers"),
            open_reader(tried, work / "answers"),
            pixels(judges),
            asked.truth(judges),
            judges.truth.patient,
        )
        (folder / "CARD.md").write_text(revised(text, f"{judged}\n", MARKS), encoding="utf-8")
        typer.echo(str(judged))
        if not judged.passed:
            raise Refused(f"{question} is not shipped in int8.")
        _ship(tried, folder)


def _scans(learnt: Pixels, count: int) -> Iterator[Scan]:
    """Yield scans one by one, from all over the part; every fourth has one view only."""
    for place, row in enumerate(np.linspace(0, learnt.count - 1, count, dtype=np.intp)):
        canvas, present = learnt.read(np.array([row]))
        if place % 4 == 3:
            canvas[:, 1], present[:, 1] = 0, 0
        yield {"canvas": canvas, "present": present}


def _on_trial(manifest: Manifest, graph: bytes, folder: Path) -> Manifest:
    """Return the manifest, run in int8, of a folder that holds nothing but that graph and the golden outputs."""
    folder = folder / manifest.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(graph)
    shutil.copy(manifest.folder / manifest.golden, folder)
    int8 = Int8(file=FILE, digest=hashlib.sha256(graph).hexdigest(), tolerance=TOLERANCE)
    return manifest.model_copy(update={"folder": folder, "int8": int8}).run_by(EngineChoice(precision="int8"))


def _ship(tried: Manifest, folder: Path) -> None:
    """Take over the graph of a manifest that is run in int8."""
    shutil.copy(tried.folder / tried.file, folder)
    with (folder / "manifest.toml").open("a", encoding="utf-8") as manifest:
        manifest.write(TABLE.format(file=tried.file, digest=tried.digest, **tried.tolerance.model_dump()))


def _withdraw(manifest: Manifest) -> None:
    """Remove an earlier graph in int8, and what the manifest says of it."""
    file = manifest.folder / "manifest.toml"
    file.write_text(file.read_text(encoding="utf-8").partition("\n[int8]")[0], encoding="utf-8")
    (manifest.folder / FILE).unlink(missing_ok=True)


if __name__ == "__main__":
    app()
